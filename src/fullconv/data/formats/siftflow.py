"""SIFT Flow (Liu et al., 2011; labels of Tighe and Lazebnik, 2010): outdoor scenes, 33 classes.

Three classes (cow, desert, moon) do not occur in the published test set; they stay classes, and
a mean IU leaves out what occurs nowhere.
"""

from pathlib import Path

from fullconv.data.discovery.lists import PHOTOS, by_stem, joined, listed, nothing
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data, Pair
from fullconv.errors import NoSplitError
from fullconv.io.palettes import VOID, voc_palette

CLASSES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow"),
    *("crosswalk", "desert", "door", "fence", "field", "grass", "moon", "mountain", "person"),
    *("plant", "pole", "river", "road", "rock", "sand", "sea", "sidewalk", "sign", "sky"),
    *("staircase", "streetlight", "sun", "tree", "window"),
)

_ORIGINAL_TEST = "TestSet1"


def open_siftflow(source: str, split: str | None) -> Data:
    """Open SIFT Flow.

    Args:
        source: the folder with Images/*/*.jpg and SemanticLabels/*/*.mat.
        split: a list NAME.txt, such as the FCN authors' trainval and test; with the original's
            TestSet1.txt also "test", and "trainval" for the rest. None for all.

    Raises:
        DataError: the layout, a file or the split is not there.
        MissingExtraError: scipy is needed.
    """
    folder = Path(source)
    if not recognises(folder):
        raise nothing(folder, "siftflow", "Images/*/*.jpg and SemanticLabels/*/*.mat")
    mapping = dict.fromkeys((0, VOID), VOID) | {label + 1: label for label in range(len(CLASSES))}
    table = LabelTable(CLASSES, mapping, "expected the published labels, 0 to 33")
    palette = voc_palette(len(CLASSES))
    pairs = _pairs(folder, split)
    return as_data(source, split, pairs, CLASSES, palette, MaskTable(table), mat_raw("S"))


def recognises(folder: Path) -> bool:
    """Whether it holds Images/ and SemanticLabels/."""
    return (folder / "Images").is_dir() and (folder / "SemanticLabels").is_dir()


def _pairs(folder: Path, split: str | None) -> list[Pair]:
    photos = _files(folder / "Images", PHOTOS)
    masks = _files(folder / "SemanticLabels", (".mat",))
    if split is None:
        return joined(sorted(masks), photos, masks, folder)
    names = {path.stem: listed(path) for path in sorted(folder.glob("*.txt"))}
    names.pop("classes", None)
    if _ORIGINAL_TEST in names:
        test = names[_ORIGINAL_TEST]
        names.setdefault("test", test)
        names.setdefault("trainval", sorted(set(masks) - set(test)))
    if split not in names:
        raise NoSplitError(folder, split, sorted(names))
    return joined(names[split], photos, masks, folder)


def _files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    files = by_stem(folder, suffixes)
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        files |= by_stem(inside, suffixes)
    return files


formats.register("siftflow")(
    Format(
        summary="Images/*/*.jpg and SemanticLabels/*/*.mat",
        open=open_siftflow,
        recognises=recognises,
    )
)
