"""Check that photos and masks match one to one, and that split lists are valid."""

from collections.abc import Iterator
from pathlib import Path

from fullconv.data.checks import checks
from fullconv.data.discovery.problems import Problem
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.survey import Survey
from fullconv.errors import DataError


@checks.register("pairs")
def pairs(survey: Survey) -> Iterator[Finding]:
    """Yield the problems that scanning the data set found, or why it cannot be opened."""
    if survey.inventory is None:
        if survey.refusal:
            yield _broken(survey, survey.source, survey.refusal)
        return
    for problem in survey.inventory.problems:
        if problem.error.code == "not-readable":
            where = f"{survey.source} ({problem.split})"
            yield _broken(survey, where, problem.error)
        elif problem.error.code != "labels-refused":  # reading the sample reports it
            yield _problem(survey, problem)


def _problem(survey: Survey, problem: Problem) -> Finding:
    error = problem.error
    create = survey.error if problem.fatal else survey.warning
    return create(error.code, problem.path, error.found, error.expected, error.remedy)


def _broken(survey: Survey, where: Path | str, error: DataError) -> Finding:
    return survey.error(
        "not-readable",
        where,
        error.problem,
        error.expected or "a data set that can be opened",
        error.remedy or "correct it, and check again",
    )
