"""Read prediction files of other software, by the rules of masks: one meaning for all files."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.data.labels.ignore_value import OPEN, greys_are_colors
from fullconv.data.labels.indexed import are_declared, shown_colors, used_values
from fullconv.data.labels.masks import MaskTable
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.images import StoredMask, read_stored_mask
from fullconv.io.palettes import VOID, VOID_COLOR, Color


@dataclass(frozen=True)
class PredictionReader:
    """Reads the predictions of one data set, stored as numbers or in the classes' colours.

    Numbers are class numbers, 0 to K - 1, and 255 for a pixel without a prediction. Where the
    files of the data set fit only the values of its masks (0 and 255 for two classes, Cityscapes'
    labelIds), those count. Numbers that are other classes either way are refused. This is decided
    over all `files`, not file by file.

    Attributes:
        data: the data set.
        files: all prediction files.
    """

    data: Data
    files: tuple[Path, ...] = field(default=(), repr=False)

    def __call__(self, path: Path, size: tuple[int, ...]) -> UInt8[np.ndarray, "H W"]:
        """Read the predicted class of every pixel; 255 for a pixel without one.

        Args:
            path: the prediction file.
            size: (height, width) of the sample's labels.

        Raises:
            DataError: the size differs, a value or colour is not a class, or it is open what the
                values mean.
            ImageError: the file cannot be read.
        """
        stored = read_stored_mask(path)
        found = stored.values.shape
        if found[:2] != size:
            raise DataError(
                f"{found[0]} x {found[1]} pixels (height x width), the labels have {size[0]} x "
                f"{size[1]}",
                expected="equal sizes, since predictions are compared at the labels' own size",
                remedy="write them at the size of the photos",
                where=path,
            )
        where, table = str(path), self.table
        if self._is_permuted(stored):
            raise DataError(
                "its palette shows the colours of the classes in another order than its values",
                expected="values and colours that agree",
                remedy="save it as a grey PNG of class numbers",
                where=path,
            )
        values = table.resolve_palette(stored.values, stored.palette, where)
        numbers = _numbers_of(values, self._colors, bool(self.data.colors))
        if numbers is not None:
            values = numbers
        elif not self._colors:
            raise DataError(
                f"a colour image, but several classes of {self.data.source} share a colour",
                expected="pixel values that are class numbers",
                where=path,
            )
        return table(values, where)

    @cached_property
    def table(self) -> MaskTable:
        """The table of the predictions, decided over all files.

        Raises:
            DataError: it is open what the values mean.
        """
        data, observed = self.data, [*self._observe()]
        values = set().union(*observed)
        remedy = f"expected the class numbers of {data.source}"
        colors = ColorTable(data.classes, self._colors, f"{remedy}, or their colours")
        plain = {label: label for label in range(len(data.classes))}
        greys = greys_are_colors(values, plain, data.colors)
        numbers = plain if greys else self._numbers(values, observed)
        indices = LabelTable(data.classes, numbers, remedy)
        if greys or not observed:
            rule = "the colours of the classes"
        elif all(numbers.get(value, value) == value for value in values):
            rule = f"class numbers, 0 to {len(plain) - 1}"
        else:
            rule = "the values of the masks"
        return MaskTable(indices, colors, bool(data.colors), greys, rule)

    def _numbers(self, values: Set[int], observed: list[set[int]]) -> Mapping[int, int]:
        """Return value -> label of all files."""
        count = len(self.data.classes)
        plain = {label: label for label in range(count)}
        masks = self.data.mask_values
        if VOID in values and masks.get(VOID, VOID) != VOID and values <= {*masks}:
            return masks  # 255 is a class of the data set
        if values - {VOID} <= {*plain}:
            self._refuse_both(sorted(values - {VOID}))
            others = [mask - {0, VOID} for mask in observed]
            beside = any(VOID in mask and more for mask, more in zip(observed, others, strict=True))
            if VOID in values and not beside and not (count > 2 and any(others)):
                raise self._open(values)
        elif values <= {*masks}:
            return masks
        return plain | {VOID: VOID}

    def _refuse_both(self, values: list[int]) -> None:
        """Refuse class numbers that are classes, but other ones, as values of the masks too."""
        masks, names = self.data.mask_values, self.data.classes
        labels = [masks.get(value, VOID) for value in values]
        if labels == values or not values or VOID in labels:
            return
        value, label = next(pair for pair in zip(values, labels, strict=True) if pair[0] != pair[1])
        raise DataError(
            f"the predictions hold {', '.join(map(str, values[:12]))}, which are numbers of "
            f"classes and values of the masks: {value} is the class {names[value]!r}, or "
            f"{names[label]!r} as in the masks",
            expected="numbers with one meaning",
            remedy="save the predictions in the colours of the classes",
            where=self._place,
            code=OPEN,
        )

    @property
    def _place(self) -> Path | str:
        return self.files[0].parent if self.files else ""

    def _observe(self) -> Iterable[set[int]]:
        """Yield the values of the files that hold numbers, until they decide."""
        plain = {value: label for value, label in self.data.mask_values.items() if value != VOID}
        early = all(value == label for value, label in plain.items())
        greys = any(len({*color}) == 1 for color in self.data.colors)
        for path in self.files:
            numbers = _numbers_of(
                read_stored_mask(path).values, self._colors, bool(self.data.colors)
            )
            if numbers is None:
                continue
            values = set(used_values(numbers))
            yield values
            others = {v for v in values if 0 < v < len(self.data.classes)}
            sure = VOID in values or len(self.data.classes) > 2
            if others and sure and early and not greys:
                return

    def _open(self, values: Set[int]) -> DataError:
        only = "only 255" if values == {VOID} else f"{', '.join(map(str, sorted(values)))}"
        return DataError(
            f"the predictions hold {only}, so it is open whether 255 is a class or a pixel without "
            "a prediction",
            expected=f"class numbers, 0 to {len(self.data.classes) - 1}",
            remedy="write 1 for the second class, and 255 only for pixels without a prediction",
            where=self._place,
            code=OPEN,
        )

    @cached_property
    def _colors(self) -> Mapping[Color, int]:
        """Colour -> label or 255; {} if classes share a colour."""
        if self.data.colors:
            return {VOID_COLOR: VOID, **self.data.colors}
        palette = self.data.palette
        if len({*palette}) < len(palette):
            return {}
        return {VOID_COLOR: VOID, **{color: label for label, color in enumerate(palette)}}

    def _is_permuted(self, stored: StoredMask) -> bool:
        """Return whether an indexed file shows the classes' own colours, numbered otherwise."""
        if stored.palette is None or self.data.colors or not self._colors:
            return False
        shown = shown_colors(used_values(stored.values), stored.palette)
        visible = {value: color for value, color in shown.items() if color is not None}
        if not are_declared(visible, self._colors):
            return False
        numbers = self.table.indices.mapping
        return any(self._colors[color] != numbers.get(value) for value, color in visible.items())


def _numbers_of(
    values: np.ndarray, colors: Mapping[Color, int], declared: bool
) -> np.ndarray | None:
    """Return the numbers of a file, also of one that repeats them in three channels.

    None if it holds colours: those of the classes, if they are declared and fit.
    """
    if values.ndim == 2:
        return values
    if (values != values[..., :1]).any():
        return None
    grey: np.ndarray = values[..., 0]
    fits = all((value,) * 3 in colors for value in used_values(grey))
    return None if fits and (declared or grey.max() > 0) else grey
