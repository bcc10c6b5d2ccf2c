"""From the raw values of a mask to classes: one explicit table a data set, whose default is an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.errors import ConfigError, LabelError
from fullconv.sample import VOID

MAX_CLASSES = 255


@dataclass(frozen=True)
class LabelTable:
    """Raw mask value -> class, or `VOID`; a value that is not in the table is an error.

    Attributes:
        classes: the names, in the order of the labels.
        mapping: raw value -> label in [0, len(classes)) or 255.
        remedy: what a user can do about a value that is not in the table.
    """

    classes: tuple[str, ...]
    mapping: Mapping[int, int]
    remedy: str = "add the class to classes.txt, or give these pixels the void value 255"
    _table: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {*range(len(self.classes)), VOID}
        if len(self.classes) > MAX_CLASSES or not set(self.mapping.values()) <= known:
            raise ConfigError(
                f"a label table with {len(self.classes)} classes and labels "
                f"{sorted(set(self.mapping.values()))}: labels must be below the number of "
                f"classes (at most {MAX_CLASSES}) or 255 for void"
            )
        table = np.full(65536, -1, np.int16)
        for raw, label in self.mapping.items():
            table[raw] = label
        object.__setattr__(self, "_table", table)

    def __call__(self, raw: Integer[np.ndarray, "H W"], where: str) -> UInt8[np.ndarray, "H W"]:
        """The labels of one mask.

        Args:
            raw: the values as they stand in the file.
            where: the file's name, for the message.

        Raises:
            LabelError: a value outside the table, with its count and the remedy.
        """
        outside = (raw < 0) | (raw > 65535)
        labels = self._table[np.where(outside, 0, raw)]
        wrong = outside | (labels < 0)
        if wrong.any():
            raise LabelError(self._message(np.asarray(raw)[wrong], where))
        return labels.astype(np.uint8)

    def _message(self, values: np.ndarray, where: str) -> str:
        found, counts = np.unique(values, return_counts=True)
        shown = ", ".join(
            f"{value} ({count:,} pixels)" for value, count in zip(found[:5], counts, strict=False)
        )
        more = f" and {len(found) - 5} more values" if len(found) > 5 else ""
        return (
            f"{where}: the value {shown}{more} is none of the {len(self.classes)} declared "
            f"classes (0 to {len(self.classes) - 1}; 255 is void); {self.remedy}"
        )


def plain(classes: Sequence[str], void: Sequence[int] = (VOID,)) -> LabelTable:
    """The table of masks that already hold the class numbers; `void` are the values to leave out."""
    mapping = {label: label for label in range(len(classes))}
    return LabelTable(tuple(classes), mapping | {value: VOID for value in void})
