"""A finding about a file, or about the data set as a whole."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A problem, or something to know.

    Attributes:
        code: kind of finding, e.g. "value-outside"; findings of one code are shown together.
        severity: an error stops training or invalidates it, a warning may, a note is information.
        file: the file, relative to the data set's folder if it is inside.
        found: what was found.
        expected: what was expected.
        remedy: what to do about it.
        other: a second file that is involved, such as the original of a duplicate, or "".
    """

    code: str
    severity: Severity
    file: str
    found: str
    expected: str
    remedy: str
    other: str = ""
