"""Read pairs of photo and mask as samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.labels.indexed import (
    are_declared,
    check_visible,
    contradicts,
    paint,
    shown_colors,
    undeclared,
    used_values,
)
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data, Pair, Sample
from fullconv.errors import DataError, LabelError
from fullconv.io.images import Header, read_header, read_mask, read_photo, read_stored_mask
from fullconv.io.palettes import Color, Palette

Table = Callable[[np.ndarray, str], np.ndarray]
Raw = Callable[[Path, Header], np.ndarray]


@dataclass(frozen=True)
class MaskTable:
    """Maps masks that store either class indices or colours to labels.

    Attributes:
        indices: table of single-channel masks.
        colors: table of colour-coded masks; None if no colours are declared.
        by_palette: whether the colours are declared, so that the palette of an indexed mask has
            to agree with them, or decides.
        grey_colors: whether the values of grey masks are colours, such as 255 for #ffffff.
        rule: what 255 means in the masks and why, for users; "" if the format defines it.
        note: how values were matched with names where the declaration leaves it open, or "".
    """

    indices: LabelTable
    colors: Table | None = None
    by_palette: bool = False
    grey_colors: bool = False
    rule: str = ""
    note: str = ""

    def __call__(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        """Return the labels of a mask; `where` is its file, for messages.

        Raises:
            LabelError: a value or colour is not in the table.
        """
        if raw.ndim == 2 and self.grey_colors:
            raw = np.repeat(raw[..., None], 3, 2)
        if raw.ndim == 3 and self.colors:
            return self.colors(raw, where)
        return self.indices(one_channel(raw, where), where)

    def read(self, path: Path, like: Header | None = None) -> np.ndarray:
        """Read the raw values of a mask image: its numbers, or its colours where they decide.

        Raises:
            DataError: it is a JPEG.
            LabelError: its palette contradicts the declared colours.
        """
        _refuse_jpeg(path)
        stored = read_stored_mask(path, like)
        return self.resolve_palette(stored.values, stored.palette, str(path))

    def resolve_palette(
        self,
        values: Integer[np.ndarray, "H W *channels"],
        palette: Sequence[Color | None] | None,
        where: str,
    ) -> Integer[np.ndarray, "H W *resolved"]:
        """Return the values of an indexed mask, or its colours if the declared colours say so.

        Raises:
            LabelError: its palette contradicts the declared colours.
        """
        if palette is None or values.ndim != 2 or not (self.by_palette or self.grey_colors):
            return values
        shown = shown_colors(used_values(values), palette)
        return paint(values, shown) if self.reads_colors(shown, where) else values

    def reads_colors(self, shown: Mapping[int, Color | None], where: str) -> bool:
        """Return whether an indexed mask is read by its colours: used value -> colour.

        Raises:
            LabelError: its palette contradicts the declared colours, or its colours decide and
                one of them is not visible.
        """
        declared = self.color_labels
        if not self.grey_colors and not contradicts(shown, self.indices.mapping, declared):
            return False
        check_visible(shown, where)
        if not self.grey_colors and not are_declared(shown, declared) and not self.stray:
            raise undeclared(shown, declared, where)
        return True

    @property
    def color_labels(self) -> Mapping[Color, int]:
        """Colour -> label or 255; {} if no colours are known."""
        table = getattr(self.colors, "table", self.colors)
        mapping: Mapping[Color, int] = getattr(table, "mapping", {})
        return mapping

    @property
    def stray(self) -> float:
        """Share of pixels in unknown colours up to which they are errors and become ignored."""
        return float(getattr(self.colors, "stray", 0.0))


@dataclass(frozen=True)
class PairReader:
    """Reads samples by index: `Data.read` of data sets with masks.

    Attributes:
        pairs: photo, mask and name of each sample.
        table: raw mask values -> labels.
        raw: reads raw values, given the mask and the photo's header; None for image files.
    """

    pairs: tuple[Pair, ...]
    table: Table
    raw: Raw | None = None

    def __call__(self, index: int) -> Sample:
        """Read the sample at `index`."""
        own = self.table.read if isinstance(self.table, MaskTable) else read_raw
        return read_pair(self.pairs[index], self.table, self.raw or own)


@dataclass(frozen=True)
class PairwiseReader:
    """Reads samples by index, where a format reads image and labels itself."""

    pairs: tuple[Pair, ...]
    read: Callable[[Pair], Sample]

    def __call__(self, index: int) -> Sample:
        """Read the sample at `index`."""
        return self.read(self.pairs[index])


def create_data(
    source: str,
    split: str | None,
    pairs: Sequence[Pair],
    classes: tuple[str, ...],
    palette: Palette,
    table: Table,
    raw: Raw | None = None,
) -> Data:
    """Return the data set of these pairs; see `Data` and `PairReader` for the arguments."""
    names = tuple(pair.name for pair in pairs)
    read = PairReader(tuple(pairs), table, raw)
    data = Data(source, split, classes, palette, names, read)
    if not isinstance(table, MaskTable):
        return data
    colors = table.color_labels if table.by_palette else {}
    return replace(data, mask_values=table.indices.mapping, colors=colors)


def read_pair(pair: Pair, table: Table, raw: Raw) -> Sample:
    """Read a photo and its labels, both rotated by the photo's EXIF orientation.

    Raises:
        ImageError: one of the two cannot be read.
        DataError: their sizes differ, or the mask is a JPEG.
        LabelError: the mask has a value that is not a class.
    """
    header = read_header(pair.photo)
    if header.format == "TIFF" and header.mode in ("RGBA", "RGBX", "CMYK"):
        raise DataError(
            "a TIFF with four bands",
            expected="three",
            remedy="say which are red, green and blue, e.g. rasters:FOLDER?bands=1,2,3",
            where=pair.photo,
        )
    values = raw(pair.mask, header)
    image = read_photo(pair.photo)
    if values.shape[:2] != image.shape[:2]:
        raise DataError(
            f"{_size(values)} pixels (height x width), but its photo {pair.photo} has "
            f"{_size(image)}",
            expected="one size",
            remedy=f"{size_remedy(values.shape[:2], image.shape[:2])}",
            where=pair.mask,
        )
    return Sample(image, table(values, str(pair.mask)), pair.name)


def size_remedy(mask: tuple[int, ...], photo: tuple[int, ...]) -> str:
    """Recommend what to do about a mask and a photo of these sizes, (height, width)."""
    if mask == photo[::-1]:
        return "rotate one of them by 90 degrees"
    if abs(mask[0] * photo[1] - mask[1] * photo[0]) <= max(*mask, *photo):
        return "resize the mask with nearest-neighbour interpolation"
    return "export both again: their aspect ratios differ, so one is cropped or of another image"


def read_raw(path: Path, like: Header | None = None) -> np.ndarray:
    """Read the raw values of a mask image; `like` is the header of its photo.

    Raises:
        DataError: it is a JPEG.
    """
    _refuse_jpeg(path)
    return read_mask(path, like)


def _refuse_jpeg(path: Path) -> None:
    if read_header(path).format == "JPEG":
        raise DataError(
            "a JPEG mask, whose compression alters labels at every edge",
            expected="PNG",
            remedy="export the masks again as PNG",
            where=path,
        )


def one_channel(
    raw: Integer[np.ndarray, "H W *channels"], where: str
) -> Integer[np.ndarray, "H W"]:
    """Return the numbers of a mask, also of one stored as RGB with equal channels.

    Raises:
        LabelError: the mask has colours.
    """
    if raw.ndim == 2:
        return raw
    if (raw == raw[..., :1]).all():
        return raw[..., 0]
    colors, counts = np.unique(raw.reshape(-1, 3), axis=0, return_counts=True)
    shown = ", ".join(
        "#" + bytes(color.tolist()).hex() for color in colors[counts.argsort()[:-4:-1]]
    )
    raise LabelError(
        f"a colour-coded mask ({len(colors)} colours, e.g. {shown}), but no colours are declared",
        remedy='list each class with its colour in classes.txt, e.g. "0 road #804080"',
        where=where,
    )


def _size(raster: np.ndarray) -> str:
    return f"{raster.shape[0]} x {raster.shape[1]}"
