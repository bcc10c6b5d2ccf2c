"""What the check says about one file, or about the data set as a whole."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One fault, or one thing to know.

    Attributes:
        code: the kind, e.g. "value-outside"; findings of one code are shown together.
        severity: an error stops a training or falsifies it, a warning may, a note is to know.
        file: where, relative to the data set where it lies in it.
        found: what is there.
        expected: what was expected instead.
        remedy: the command or the setting that mends it.
        other: another file that it is about, such as the first of two that are equal; "" where
            there is none.
    """

    code: str
    severity: Severity
    file: str
    found: str
    expected: str
    remedy: str
    other: str = ""
