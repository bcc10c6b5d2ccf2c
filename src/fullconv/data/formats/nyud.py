"""NYUDv2 (Silberman et al., 2012) with the 40 classes of Gupta et al. (2013), as FCN trained it."""

from pathlib import Path

from fullconv.data.discovery.lists import PHOTOS, by_stem, chosen_list, joined, listed, nothing
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data
from fullconv.io.palettes import VOID, voc_palette

CLASSES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
    *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow"),
    *("mirror", "floor mat", "clothes", "ceiling", "books", "refridgerator", "television"),
    *("paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand"),
    *("toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture"),
    *("otherprop",),
)


def open_nyud(source: str, split: str | None) -> Data:
    """Open NYUDv2 in the FCN authors' layout (nyud.tar.gz); the colour photos only.

    Args:
        source: the folder with data/images/img_*.png and segmentation/img_*.mat.
        split: a list NAME.txt of numbers: "train", "val", "test"; None for all.

    Raises:
        DataError: the layout, a file or the split is not there.
        MissingExtraError: scipy is needed.
    """
    folder = Path(source)
    photos, masks = _files(_photos(folder), PHOTOS), _files(folder / "segmentation", (".mat",))
    if not photos or not masks:
        raise nothing(folder, "nyud", "data/images/img_*.png and segmentation/img_*.mat")
    if split is None:
        pairs = joined(sorted(masks), photos, masks, folder)
    else:
        path = chosen_list({path.stem: path for path in folder.glob("*.txt")}, split, folder)
        pairs = joined(listed(path), photos, masks, path)
    mapping = dict.fromkeys((0, VOID), VOID) | {label + 1: label for label in range(len(CLASSES))}
    table = LabelTable(CLASSES, mapping, "expected the 40-class labels, 0 to 40")
    palette = voc_palette(len(CLASSES))
    raw = mat_raw("segmentation")
    return as_data(source, split, pairs, CLASSES, palette, MaskTable(table), raw)


def recognises(folder: Path) -> bool:
    """Whether it holds segmentation/ with MATLAB files, and photos."""
    return any((folder / "segmentation").glob("img_*.mat")) and _photos(folder).is_dir()


def _photos(folder: Path) -> Path:
    nested = folder / "data" / "images"
    return nested if nested.is_dir() else folder / "images"


def _files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    return {stem.removeprefix("img_"): path for stem, path in by_stem(folder, suffixes).items()}


formats.register("nyud")(
    Format(
        summary="data/images/img_*.png and segmentation/img_*.mat",
        open=open_nyud,
        recognises=recognises,
    )
)
