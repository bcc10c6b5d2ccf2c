"""ADE20K (Zhou et al., 2017) as the scene parsing benchmark publishes it: SceneParse150.

Masks hold 1 to 150, and 0 for everything else. So labels are one less, and 0 is void; this is
done here, once, and nowhere else.
"""

from pathlib import Path

from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.formats._ade150 import CLASSES, PALETTE
from fullconv.formats._masks import MaskTable, as_data
from fullconv.formats._stems import PHOTOS, by_stem, joined, nothing
from fullconv.labels import LabelTable
from fullconv.sample import VOID, Data

_FOLDERS = {"train": "training", "val": "validation"}
_LISTS = ("objectInfo150.txt", "sceneCategories.txt")


def open_ade20k(source: str, split: str | None) -> Data:
    """Open SceneParse150 (ADEChallengeData2016).

    Args:
        source: the folder with images/ and annotations/.
        split: "train" or "val"; None for both.

    Raises:
        DataError: the layout, a mask or the split is not there, or it is the full release.
    """
    folder = _root(Path(source))
    chosen = [split] if split else list(_FOLDERS)
    pairs = []
    for name in chosen:
        if name not in _FOLDERS:
            raise DataError(f"{folder} has no split {name!r}; there are: train, val")
        photos = by_stem(folder / "images" / _FOLDERS[name], PHOTOS)
        masks = by_stem(folder / "annotations" / _FOLDERS[name], (".png",))
        pairs += joined(photos, photos, masks, folder / "images" / _FOLDERS[name])
    void = dict.fromkeys((0, VOID), VOID)
    mapping = void | {label + 1: label for label in range(len(CLASSES))}
    remedy = "SceneParse150 holds 0 to 150; open masks of another numbering as folders:PATH"
    table = MaskTable(LabelTable(CLASSES, mapping, remedy))
    return as_data(source, split, pairs, CLASSES, PALETTE, table)


def recognises(folder: Path) -> bool:
    """Whether it is ADEChallengeData2016, by its lists or the names of its photos."""
    photos = folder / "images" / "validation"
    known = any((folder / name).is_file() for name in _LISTS)
    return photos.is_dir() and (known or any(photos.glob("ADE_val_*.jpg")))


def _root(folder: Path) -> Path:
    for place in (folder, folder / "ADEChallengeData2016"):
        if (place / "annotations" / "validation").is_dir():
            return place
    if _is_full(folder):
        raise DataError(
            f"{folder} is the full release of ADE20K, whose masks name over 3000 objects; 8-bit "
            "labels have room for 255, and its files do not say which are the benchmark's 150: "
            "open ADEChallengeData2016 (SceneParse150) instead"
        )
    expected = "images/training, images/validation and the same in annotations/"
    raise nothing(folder, "ade20k", expected)


def _is_full(folder: Path) -> bool:
    # images/ADE/training/SCENE/PHOTO_seg.png or images/training/a/SCENE/PHOTO_seg.png
    return any((folder / "images").glob("*/*/*/*_seg.png")) or any(folder.glob("index_*ade20k*"))


formats.register("ade20k")(
    Format(
        summary="ADEChallengeData2016 with images/ and annotations/, training and validation",
        open=open_ade20k,
        recognises=recognises,
    )
)
