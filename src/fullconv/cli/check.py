"""fullconv check: what is wrong with a data set, and which network it needs, before training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._check_output import facts_of, tell, values_of
from fullconv.cli._console import say, track, write_json
from fullconv.cli._options import DATA, Json, Out, Quiet

if TYPE_CHECKING:
    from fullconv.data.checks import Diagnosis, Survey
    from fullconv.evaluation.upper_bounds import UpperBounds


IGNORE = "Findings that are known: a code, a file, or CODE:FILE; may be repeated."


def command(
    data: Annotated[str, typer.Argument(help=DATA)],
    split: Annotated[str | None, typer.Option(help="Only train, val or test.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="NAME", help=IGNORE)] = None,
    write_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what it recommends, for train --config FILE."),
    ] = None,
    augment: Annotated[
        int, typer.Option(min=0, help="Also draw N photos as training would see them.")
    ] = 0,
    config: Annotated[
        Path | None, typer.Option(help="Training settings (YAML) that --augment draws.")
    ] = None,
    out: Out = Path("runs"),
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Check a data set: whole files, wrong masks, leaks between splits, the stride it needs."""
    from fullconv.data.checks import examine
    from fullconv.evaluation.report.data_page import write_page
    from fullconv.training.run.folder import create_run

    def progress(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        return track(items, total, what, quiet or str(json) == "-")

    _check_options(write_config, config)
    start = perf_counter()
    whole = examine(data, split, progress)
    seconds = perf_counter() - start
    diagnosis = whole.accepting(ignore or ())
    advice = _advice(diagnosis.survey, progress)
    facts = facts_of(diagnosis, seconds)
    run = create_run(out, "check", Path(data.replace(":", "-")).name)
    page = write_page(run.folder / "report.html", diagnosis, advice, facts)
    values = values_of(diagnosis, advice, facts)
    write_json(run.folder / "check.json", values)
    write_json(json, values)
    shown = str(json) != "-"
    if shown:
        tell(diagnosis, advice, facts, quiet)
        _tell_stale(whole, ignore or ())
    if write_config:
        _write_config(write_config, diagnosis, advice, shown)
    if augment:
        _draw(run.folder / "augmentation.png", diagnosis.survey, augment, config, shown)
    if shown:
        say(f"{diagnosis.verdict} Nothing was changed. Report: {page}")
    if diagnosis.of("error"):
        raise typer.Exit(4)


def _check_options(write_config: Path | None, config: Path | None) -> None:
    """Refuse before the work what cannot be done after it."""
    from fullconv.config import TrainConfig, read_yaml
    from fullconv.errors import ConfigError

    if write_config and write_config.exists():
        raise ConfigError(
            f"{write_config} is there already; expected a new name for --write-config: delete it "
            "first if it should be replaced"
        )
    if config:
        TrainConfig.checked(**{k: v for k, v in read_yaml(config).items() if k != "data"})


def _advice(survey: "Survey", progress: Any) -> "UpperBounds | None":
    from fullconv.evaluation.upper_bounds import chosen, upper_bounds

    read = survey.read_labels
    good = [item for item in survey.of("train") or survey.items if item.fits]
    if read is None or not good:
        return None
    pixels = sum(sum(item.labels.values()) for item in good) // len(good)
    picked = [good[place] for place in chosen([item.name for item in good], pixels)]
    shown = progress(picked, len(picked), "strides")
    return upper_bounds((read(item) for item in shown), survey.classes)


def _tell_stale(diagnosis: "Diagnosis", ignored: Sequence[str]) -> None:
    from fullconv.data.checks import matches

    for pattern in ignored:
        if not any(matches(finding, pattern) for finding in diagnosis.findings):
            say(f"note   --ignore {pattern}: no finding has this code or file (any more)")


def _write_config(
    path: Path, diagnosis: "Diagnosis", advice: "UpperBounds | None", shown: bool
) -> None:
    from fullconv.evaluation.recommendations import as_yaml, settings
    from fullconv.io.atomic import write_text

    write_text(path, as_yaml(diagnosis, settings(diagnosis, advice)))
    if shown:
        say(f"settings  {path}   (fullconv train --config {path})")


def _draw(path: Path, survey: "Survey", number: int, config: Path | None, shown: bool) -> None:
    from fullconv.config import RunConfig, read_yaml
    from fullconv.data.checks._augmentation_sheet import contact_sheet
    from fullconv.io.images import write_image
    from fullconv.training.resolve import resolve_settings

    data = survey.data("train")
    if not len(data):
        say("no photo with labels can be read, so that none is augmented")
        return
    given = (read_yaml(config) if config else {}) | {"data": survey.source}
    step = max(1, len(data) // number)
    indices = range(0, len(data), step)[:number]
    # Resolved as a training would, so that windows have the size that they will have.
    write_image(
        path, contact_sheet(data, indices, resolve_settings(RunConfig.checked(**given), data))
    )
    if shown:
        photos = "1 photo" if len(indices) == 1 else f"{len(indices)} photos"
        say(f"augmentation  {path}: {photos}, and what three epochs see of each")
