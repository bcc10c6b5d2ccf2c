"""Tables from raw mask values or colours to classes; anything else is an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from fullconv.config.network import MAX_CLASSES
from fullconv.errors import ConfigError, LabelError
from fullconv.io.palettes import VOID, Color


@dataclass(frozen=True)
class LabelTable:
    """Maps raw mask values to classes or `VOID`.

    Attributes:
        classes: class names.
        mapping: raw value -> label in [0, len(classes)) or 255.
        remedy: what to do about a value that is not in the table.
    """

    classes: tuple[str, ...]
    mapping: Mapping[int, int]
    remedy: str = "add the class to classes.txt, or set these pixels to 255 (ignored)"
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
        """Return the labels of a mask; `where` is its file, for messages.

        Raises:
            LabelError: a value is not in the table.
        """
        outside = (raw < 0) | (raw > 65535)
        labels = self._table[np.where(outside, 0, raw)]
        wrong = outside | (labels < 0)
        if wrong.any():
            raise self._error(np.asarray(raw)[wrong], where)
        return labels.astype(np.uint8)

    def _error(self, values: np.ndarray, where: str) -> LabelError:
        found, counts = np.unique(values, return_counts=True)
        shown = ", ".join(
            f"{value} ({count:,} pixels)" for value, count in zip(found[:5], counts, strict=False)
        )
        more = f" and {len(found) - 5} more values" if len(found) > 5 else ""
        return LabelError(
            f"the value {shown}{more} is none of the {len(self.classes)} declared classes "
            f"({self.accepted})",
            remedy=self.remedy,
            where=where,
        )

    @property
    def accepted(self) -> str:
        """The values that masks may hold, for messages."""
        numbers = range(len(self.classes))
        if self.mapping == {value: value for value in (*numbers, VOID)}:
            return f"0 to {len(self.classes) - 1}; 255 is ignored"
        return (
            f"the value{'s' * (len(self.mapping) > 1)} {', '.join(map(str, sorted(self.mapping)))}"
        )


@dataclass(frozen=True)
class ColorTable:
    """Maps the colours of masks to classes or `VOID`.

    Attributes:
        classes: class names.
        mapping: (red, green, blue) -> label in [0, len(classes)) or 255.
        remedy: what to do about a colour that is not in the table.
    """

    classes: tuple[str, ...]
    mapping: Mapping[Color, int]
    remedy: str = "add the class with this colour to classes.txt, or correct these pixels"
    _keys: np.ndarray = field(init=False, repr=False, compare=False)
    _labels: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.mapping)
        packed = _packed(np.array(ordered, np.uint8).reshape(-1, 3))
        object.__setattr__(self, "_keys", packed)
        labels = np.array([self.mapping[color] for color in ordered], np.uint8)
        object.__setattr__(self, "_labels", labels)

    def __call__(self, raw: Integer[np.ndarray, "H W 3"], where: str) -> UInt8[np.ndarray, "H W"]:
        """Return the labels of a mask in RGB; `where` is its file, for messages.

        Raises:
            LabelError: a colour is not in the table.
        """
        colors = _packed(np.asarray(raw), where)
        entries = np.searchsorted(self._keys, colors).clip(max=len(self._keys) - 1)
        wrong = self._keys[entries] != colors
        if wrong.any():
            raise self._error(colors[wrong], where)
        labels: UInt8[np.ndarray, "H W"] = self._labels[entries]
        return labels

    def knows(self, raw: Integer[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"]:
        """Return where the colours of a mask are in the table."""
        known: Bool[np.ndarray, "H W"] = np.isin(_packed(np.asarray(raw)), self._keys)
        return known

    def _error(self, colors: np.ndarray, where: str) -> LabelError:
        found, counts = np.unique(colors, return_counts=True)
        shown = ", ".join(
            f"#{color:06x} ({count:,} pixels)"
            for color, count in zip(found[:5], counts, strict=False)
        )
        more = f" and {len(found) - 5} more colours" if len(found) > 5 else ""
        return LabelError(
            f"the colour {shown}{more} belongs to none of the {len(self.classes)} declared classes",
            remedy=self.remedy,
            where=where,
        )


def _packed(colors: np.ndarray, where: str = "") -> np.ndarray:
    if colors.dtype != np.uint8 and colors.size and not 0 <= colors.min() <= colors.max() <= 255:
        raise LabelError(
            f"colours with values from {colors.min()} to {colors.max()}",
            expected="0 to 255",
            where=where,
        )
    wide = colors.astype(np.int32)
    packed: np.ndarray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return packed


def identity_table(classes: Sequence[str], void: Sequence[int] = (VOID,)) -> LabelTable:
    """Return the table of masks that store class indices; `void` are the values to ignore."""
    mapping = {label: label for label in range(len(classes))}
    return LabelTable(tuple(classes), mapping | {value: VOID for value in void})
