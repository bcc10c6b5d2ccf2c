"""The data doctor: what is wrong with a data set, before a training finds out.

One file a group of findings; this folder is the list of them. A check takes the survey (what every
file holds) and yields findings. Nothing here changes the data set.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from fullconv._registry import Registry
from fullconv.data.checks._finding import SEVERITIES, Finding
from fullconv.data.checks._reading import Shown, survey
from fullconv.data.checks._survey import Survey as Survey

Check = Callable[[Survey], Iterable[Finding]]

checks: Registry[Check] = Registry("fullconv.data.checks", "check")


@dataclass(frozen=True)
class Diagnosis:
    """What the check found.

    Attributes:
        survey: what every file holds.
        findings: errors first, then warnings, then notes; equal codes together.
        accepted: those that the user knows of.
    """

    survey: Survey
    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()

    def accepting(self, known: Iterable[str]) -> "Diagnosis":
        """The same without the findings that the user knows of.

        Args:
            known: codes ("near-duplicate"), files ("masks/a.png", "masks/old*"), or both as
                "CODE:FILE". Files are as findings name them.
        """
        patterns = [*known]
        parts: tuple[list[Finding], list[Finding]] = ([], [])
        for finding in self.findings:
            parts[any(matches(finding, pattern) for pattern in patterns)].append(finding)
        return replace(self, findings=tuple(parts[0]), accepted=(*self.accepted, *parts[1]))

    def of(self, severity: str) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def verdict(self) -> str:
        """How many findings there are of each severity, as a sentence."""
        counts = [(len(self.of(severity)), severity) for severity in SEVERITIES]
        said = [f"{number} {what}{'s' * (number != 1)}" for number, what in counts if number]
        known = f" {len(self.accepted)} known and ignored." if self.accepted else ""
        if said:
            return f"{', '.join(said)}.{known}"
        return f"No other findings.{known}" if known else "No findings: the data set is clean."

    @property
    def groups(self) -> dict[str, list[Finding]]:
        """The findings by code, in their order."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.code, []).append(finding)
        return groups


def matches(finding: Finding, pattern: str) -> bool:
    """Whether a code, a file or CODE:FILE means a finding; files may have * and ?."""
    code, colon, file = pattern.partition(":")
    if colon and code == finding.code:
        return finding.file == file or fnmatchcase(finding.file, file)
    return pattern in (finding.code, finding.file) or fnmatchcase(finding.file, pattern)


def _silently(items: Iterable[object], total: int, what: str) -> Iterable[object]:
    return items


def examine(
    source: str, split: str | None = None, progress: Shown = _silently, workers: int | None = None
) -> Diagnosis:
    """Check a data set.

    Args:
        source: a folder, FORMAT:PATH or scenes:N.
        split: "train", "val", ...; None is all of it.
        progress: wraps what is gone through: (items, number, what) -> items.
        workers: threads that read; None is one a core.

    Raises:
        DataError: there is no such data set, or its layout cannot be told.
    """
    seen = survey(source, split, progress, workers)
    found = [finding for name in checks for finding in checks[name](seen)]
    first: dict[str, int] = {}
    for finding in found:
        rank = SEVERITIES.index(finding.severity)
        first[finding.code] = min(rank, first.get(finding.code, rank))
    codes = [*first]
    found.sort(key=lambda one: (first[one.code], codes.index(one.code), one.severity))
    return Diagnosis(seen, tuple(found))
