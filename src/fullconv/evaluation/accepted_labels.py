"""Apply reviewed label errors: corrected copies of the masks; the originals are never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.data.formats.labelme import layer_of, shapes_of
from fullconv.data.labels.class_lines import distinct_palette, format_lines
from fullconv.data.labels.photo_fit import check_fit
from fullconv.data.labels.rasterize import Layer
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.atomic import write_text
from fullconv.io.images import write_labels
from fullconv.io.text import read_json
from fullconv.io.visible import visible

MASKS = "masks"


@dataclass(frozen=True)
class Accepted:
    """What was written.

    Attributes:
        folder: the masks, as indexed PNGs of class numbers.
        masks: their number.
        changed: sample name -> pixels with another label than before.
    """

    folder: Path
    masks: int
    changed: dict[str, int]


def reviewed_split(reviewed: Path) -> str | None:
    """Return the split that reviewed suspects are of; None for all samples.

    Raises:
        DataError: the folder holds no suspects of `fullconv evaluate --suspects`.
    """
    files = sorted(visible(reviewed, "*.json"))
    splits = {str(_origin(path).get("split", "")) for path in files} - {""}
    if len(splits) != 1:
        raise DataError(
            f"{len(files)} LabelMe files, of {len(splits)} splits",
            expected="the folder suspects.labelme of one fullconv evaluate --suspects N",
            where=reviewed,
        )
    (split,) = splits
    return None if split == "all" else split


def accept_labels(data: Data, reviewed: Path, folder: Path) -> Accepted:
    """Write the masks of all samples, corrected where shapes are left in the reviewed files.

    A shape's label is the class that its pixels get; shapes that were deleted change nothing.

    Args:
        data: the samples that the suspects were found in.
        reviewed: folder of LabelMe files.
        folder: gets `masks/` and classes.txt.

    Raises:
        DataError: a file is of no sample, is damaged, or has a class that is not the data set's.
        OutputError: the folder cannot be written.
    """
    files = {
        str(_origin(path).get("name", "")): path for path in sorted(visible(reviewed, "*.json"))
    }
    if unknown := [name for name in files if name not in data.names]:
        raise DataError(
            f"{files[unknown[0]].name} is of no sample of {data.source}",
            expected="reviewed suspects of this data set",
            where=reviewed,
        )
    changed: dict[str, int] = {}
    palette = distinct_palette(data.palette)
    for sample in data:
        labels = sample.labels
        if sample.name in files:
            labels = corrected(labels, files[sample.name], data.classes)
            changed[sample.name] = int((labels != sample.labels).sum())
        write_labels(folder / MASKS / f"{sample.name}.png", labels, palette)
    write_text(folder / "classes.txt", "".join(format_lines(data.classes, palette)))
    return Accepted(folder / MASKS, len(data), changed)


def corrected(
    labels: UInt8[np.ndarray, "H W"], path: Path, classes: tuple[str, ...]
) -> UInt8[np.ndarray, "H W"]:
    """Return labels with the shapes of a LabelMe file drawn over them, in the file's order."""
    result = labels.copy()
    height, width = labels.shape
    layers = [*_layers(path, classes, (height, width))]
    check_fit(layers, (height, width))
    for layer in layers:
        np.copyto(layer.patch.of(result), layer.label, where=layer.patch.mask)
    return result


def _layers(path: Path, classes: tuple[str, ...], size: tuple[int, int]) -> Iterator[Layer]:
    for shape, where in shapes_of(path):
        yield layer_of(shape, where, classes, size)


def _origin(path: Path) -> dict[str, object]:
    origin = read_json(path).get("fullconv")
    return origin if isinstance(origin, dict) else {}
