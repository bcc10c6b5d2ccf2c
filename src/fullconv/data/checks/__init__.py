"""Check a data set for problems before training.

Each module of this package is a check: it takes the survey of a data set, which describes every
file, and yields findings. Checks never change the data set.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from fullconv._registry import Registry
from fullconv.data.survey.finding import SEVERITIES, Finding
from fullconv.data.survey.reading import Progress, survey
from fullconv.data.survey.survey import Survey

Check = Callable[[Survey], Iterable[Finding]]

checks: Registry[Check] = Registry("fullconv.data.checks", "check")


@dataclass(frozen=True)
class Diagnosis:
    """The findings of all checks.

    Attributes:
        survey: description of every file.
        findings: errors first, then warnings, then notes, grouped by code.
        ignored: findings that the user chose to ignore.
    """

    survey: Survey
    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...] = ()

    def ignore(self, patterns: Iterable[str]) -> "Diagnosis":
        """Return the diagnosis with the findings that match a pattern moved to `ignored`.

        Args:
            patterns: codes ("near-duplicate"), files ("masks/a.png", "masks/old*"), or both as
                "CODE:FILE". Files are written as in the findings.
        """
        patterns = [*patterns]
        kept: list[Finding] = []
        ignored = [*self.ignored]
        for finding in self.findings:
            matched = any(matches(finding, pattern) for pattern in patterns)
            (ignored if matched else kept).append(finding)
        return replace(self, findings=tuple(kept), ignored=tuple(ignored))

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def verdict(self) -> str:
        """The number of causes of each severity, and of all findings, as a sentence."""
        parts = [part for part in map(self._count, SEVERITIES) if part]
        ignored = f" {len(self.ignored)} ignored." if self.ignored else ""
        if parts:
            return f"{', '.join(parts)}.{ignored}"
        return f"No other findings.{ignored}" if ignored else "No problems found."

    def _count(self, severity: str) -> str:
        """Return the number of causes of one severity, and of their findings; "" without any."""
        findings = self.of(severity)
        number = sum(cause[0].severity == severity for cause in self.causes)
        files = f" ({len(findings)} findings)" if len(findings) > number else ""
        return f"{number} {severity}{'s' * (number != 1)}{files}" if number else ""

    @property
    def causes(self) -> list[list[Finding]]:
        """The findings with one code and one remedy, in order: one cause in several files."""
        causes: dict[tuple[str, str, str], list[Finding]] = {}
        for finding in self.findings:
            key = finding.code, finding.severity, finding.remedy
            causes.setdefault(key, []).append(finding)
        return [*causes.values()]


def matches(finding: Finding, pattern: str) -> bool:
    """Return whether a finding matches a code, a file or CODE:FILE; files may contain * and ?."""
    code, colon, file = pattern.partition(":")
    if colon and code == finding.code:
        return _matches_file(finding.file, file)
    return pattern == finding.code or _matches_file(finding.file, pattern)


def _matches_file(file: str, pattern: str) -> bool:
    # Names may hold brackets, which would be sets of characters in a pattern.
    return file == pattern or fnmatchcase(file, pattern.replace("[", "[[]"))


def _no_progress(items: Iterable[object], total: int, what: str) -> Iterable[object]:
    return items


def examine(
    source: str,
    split: str | None = None,
    progress: Progress = _no_progress,
    workers: int | None = None,
) -> Diagnosis:
    """Check a data set.

    Args:
        source: a folder, FORMAT:PATH or scenes:N.
        split: "train", "val", ...; None for all.
        progress: wraps an iterable to show progress: (items, number, title) -> items.
        workers: number of threads that read files; None for one per core.

    Raises:
        DataError: the data set does not exist, or its layout is unknown.
    """
    surveyed = survey(source, split, progress, workers)
    findings = [finding for name in checks for finding in checks[name](surveyed)]
    worst: dict[str, int] = {}
    for finding in findings:
        rank = SEVERITIES.index(finding.severity)
        worst[finding.code] = min(rank, worst.get(finding.code, rank))
    codes = [*worst]
    findings.sort(key=lambda f: (worst[f.code], codes.index(f.code), f.severity))
    return Diagnosis(surveyed, tuple(findings))
