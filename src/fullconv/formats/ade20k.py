"""ADE20K (Zhou et al., 2017): the scene parsing benchmark's SceneParse150, and the full release.

SceneParse150's masks hold 1 to 150, and 0 for everything else. So labels are one less, and 0 is
void; this is done here, once, and nowhere else.
"""

from functools import partial
from pathlib import Path

from fullconv.errors import NoSplitError
from fullconv.formats import Format, formats
from fullconv.formats._ade150 import CLASSES, PALETTE
from fullconv.formats._ade_full import ObjectTable, full_pairs, full_root, labels_of
from fullconv.formats._classes import declared_classes
from fullconv.formats._inventory import Inventory, opened_inventory
from fullconv.formats._listing import stems
from fullconv.formats._masks import MaskTable, as_data
from fullconv.formats._pairs import Pair
from fullconv.formats._stems import PHOTOS, by_stem, joined, nothing
from fullconv.labels import LabelTable
from fullconv.sample import VOID, Data

_FOLDERS = {"train": "training", "val": "validation"}
_LISTS = ("objectInfo150.txt", "sceneCategories.txt")


def open_ade20k(source: str, split: str | None) -> Data:
    """Open SceneParse150 (ADEChallengeData2016), or the full release (ADE20K_2021_17_01).

    Of the full release the classes are those that classes.txt in its folder names, or else the
    benchmark's 150, each by the first of an object's synonyms; every other object is void. Both
    are not SceneParse150's labels, which joined some objects.

    Args:
        source: the folder with images/.
        split: "train" or "val"; None for both.

    Raises:
        DataError: the layout, a mask or the split is not there.
    """
    folder = Path(source)
    full = full_root(folder)
    root = folder if full else _root(folder)
    if split is not None and split not in _FOLDERS:
        raise NoSplitError(root, split, _FOLDERS)
    chosen = [_FOLDERS[split]] if split else list(_FOLDERS.values())
    if full:
        pairs = [pair for part in chosen for pair in full_pairs(full, part)]
        own = declared_classes(folder)
        classes, palette = (own.classes, own.palette) if own else (CLASSES, PALETTE)
        return as_data(source, split, pairs, classes, palette, ObjectTable(labels_of(classes)))
    pairs = [pair for part in chosen for pair in _pairs(root, part)]
    return as_data(source, split, pairs, CLASSES, PALETTE, _table())


def inventory(source: str) -> Inventory:
    """The files of SceneParse150; of the full release, what `open_ade20k` gives.

    Raises:
        DataError: the layout is not there.
    """
    folder = Path(source)
    if full_root(folder):
        return opened_inventory("ade20k", folder, partial(open_ade20k, source))
    stock = Inventory(folder, "ade20k", lambda masks, read: (CLASSES, PALETTE, _table()))
    stock.declared = len(CLASSES)
    for split, part in _FOLDERS.items():
        photos = stems(stock, _root(folder) / "images" / part, PHOTOS)
        masks = stems(stock, _root(folder) / "annotations" / part, (".png",))
        both = sorted(photos.keys() & masks.keys())
        stock.splits[split] = [Pair(stem, photos[stem], masks[stem]) for stem in both]
        stock.photos += [photos[stem] for stem in sorted(photos.keys() - masks.keys())]
        stock.masks += [masks[stem] for stem in sorted(masks.keys() - photos.keys())]
    return stock


def recognises(folder: Path) -> bool:
    """Whether it is ADEChallengeData2016, by its lists or photos, or the full release."""
    photos = folder / "images" / "validation"
    known = any((folder / name).is_file() for name in _LISTS)
    challenge = photos.is_dir() and (known or any(photos.glob("ADE_val_*.jpg")))
    return challenge or full_root(folder) is not None


def _table() -> MaskTable:
    void = dict.fromkeys((0, VOID), VOID)
    mapping = void | {label + 1: label for label in range(len(CLASSES))}
    remedy = "SceneParse150 holds 0 to 150; open masks of another numbering as folders:PATH"
    return MaskTable(LabelTable(CLASSES, mapping, remedy))


def _pairs(folder: Path, part: str) -> list[Pair]:
    photos = by_stem(folder / "images" / part, PHOTOS)
    masks = by_stem(folder / "annotations" / part, (".png",))
    return joined(photos, photos, masks, folder / "images" / part)


def _root(folder: Path) -> Path:
    for place in (folder, folder / "ADEChallengeData2016"):
        if (place / "annotations" / "validation").is_dir():
            return place
    expected = (
        "images/training, images/validation and the same in annotations/, or the full release "
        "with images/ADE/training"
    )
    raise nothing(folder, "ade20k", expected)


formats.register("ade20k")(
    Format(
        summary="ADEChallengeData2016 with images/ and annotations/, or ADE20K_2021_17_01",
        open=open_ade20k,
        recognises=recognises,
        inventory=inventory,
    )
)
