"""SIFT Flow (Liu et al., 2011; labels of Tighe and Lazebnik, 2010): outdoor scenes, 33 classes.

Beside the semantic labels there are geometric ones: sky, horizontal and vertical. Three classes
(cow, desert, moon) do not occur in the published test set; they stay classes, and the mean IoU
leaves out classes that do not occur.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from fullconv.config import Head
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.stems import (
    IMAGES,
    add_stems,
    files_by_stem,
    unknown_layout,
)
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.labels.masks import MaskTable, read_pair
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Pair, Sample
from fullconv.errors import DataError
from fullconv.io.images import Header
from fullconv.io.palettes import VOID, voc_palette
from fullconv.io.visible import visible

CLASSES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow"),
    *("crosswalk", "desert", "door", "fence", "field", "grass", "moon", "mountain", "person"),
    *("plant", "pole", "river", "road", "rock", "sand", "sea", "sidewalk", "sign", "sky"),
    *("staircase", "streetlight", "sun", "tree", "window"),
)

GEOMETRIC = ("sky", "horizontal", "vertical")
HEADS = tuple(
    Head(name=name, classes=classes, palette=voc_palette(len(classes)))
    for name, classes in (("semantic", CLASSES), ("geometric", GEOMETRIC))
)
_FOLDERS = {"semantic": "SemanticLabels", "geometric": "GeoLabels"}
_ORIGINAL_TEST = "TestSet1"


def scan(source: str) -> Inventory:
    """List SIFT Flow.

    Args:
        source: FOLDER, with the semantic labels, or FOLDER?head=geometric, or
            FOLDER?head=semantic,geometric for both.

    Every list NAME.txt is a split, such as the FCN authors' trainval and test; with the original's
    TestSet1.txt there is also "test", and "trainval" for the rest.

    Raises:
        DataError: the folder does not have this layout, or there is no such head.
    """
    place, _, chosen = source.partition("?head=")
    folder, heads = Path(place), _choose(chosen or "semantic", source)
    if not recognises(folder):
        raise unknown_layout(folder, "siftflow", "Images/*/*.jpg and SemanticLabels/*/*.mat")
    first = heads[0]
    given = first.classes, first.palette, _table(first)
    inventory = Inventory(folder, "siftflow", lambda masks, read: given)
    inventory.declared = len(first.classes)
    inventory.read = partial(_read, heads=heads)
    inventory.heads = heads if len(heads) > 1 else ()
    images = _files(inventory, folder / "Images", IMAGES)
    masks = _files(inventory, folder / _FOLDERS[first.name], (".mat",))
    lists = inventory.read_splits(find_lists(folder, ("",), any_name=True))
    if _ORIGINAL_TEST in lists:
        lists.setdefault("test", lists[_ORIGINAL_TEST])
    add_stems(inventory, images, masks, lists)
    _add_others(inventory, folder, heads)
    if _ORIGINAL_TEST in lists and "trainval" not in lists:
        test = inventory.splits[_ORIGINAL_TEST]
        inventory.splits["trainval"] = [pair for pair in inventory.pairs if pair not in test]
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds Images/ and SemanticLabels/."""
    return (folder / "Images").is_dir() and (folder / "SemanticLabels").is_dir()


def _choose(text: str, source: str) -> tuple[Head, ...]:
    """Return the heads that a user named, in this order."""
    known = {head.name: head for head in HEADS}
    names = text.split(",")
    if len(set(names)) < len(names) or not set(names) <= known.keys():
        raise DataError(
            f"head={text[:80]}",
            expected="semantic, geometric, or both: semantic,geometric",
            where=source.partition("?")[0],
        )
    return tuple(known[name] for name in names)


@cache
def _table(head: Head) -> MaskTable:
    last = len(head.classes)
    mapping = dict.fromkeys((0, VOID), VOID) | {label + 1: label for label in range(last)}
    expected = f"expected the published labels, 0 to {last}"
    return MaskTable(LabelTable(head.classes, mapping, expected))


def _raw(path: Path, header: Header) -> np.ndarray:
    """Read labels; -1 is a geometric label that is not known (the authors' siftflow_layers.py)."""
    values = mat_raw("S")(path, header)
    return np.where(values == -1, 0, values)


def _add_others(inventory: Inventory, folder: Path, heads: Sequence[Head]) -> None:
    """Add to all samples the masks of the heads after the first."""

    def complete(pair: Pair) -> Pair:
        inside = pair.mask.relative_to(folder / _FOLDERS[heads[0].name])
        others = (folder / _FOLDERS[head.name] / inside for head in heads[1:])
        return replace(pair, others=tuple(others))

    inventory.pairs = [complete(pair) for pair in inventory.pairs]
    for split, pairs in inventory.splits.items():
        inventory.splits[split] = [complete(pair) for pair in pairs]


def _read(pair: Pair, heads: Sequence[Head]) -> Sample:
    """Read a photo and its labels of each head."""
    sample = read_pair(pair, _table(heads[0]), _raw)
    others = [
        read_pair(replace(pair, mask=mask), _table(head), _raw).labels
        for head, mask in zip(heads[1:], pair.others, strict=True)
    ]
    return replace(sample, others=tuple(others))


def _files(inventory: Inventory, folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    files = files_by_stem(inventory, folder, suffixes)
    for inside in sorted(visible(folder, "*/")):
        for stem, path in files_by_stem(inventory, inside, suffixes).items():
            if files.setdefault(stem, path) != path:
                inventory.same_stems([(files[stem], path)])
    return files


formats.register("siftflow")(
    Format(
        summary="Images/*/*.jpg and SemanticLabels/*/*.mat",
        scan=scan,
        recognises=recognises,
    )
)
