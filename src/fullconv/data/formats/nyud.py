"""NYUDv2 (Silberman et al., 2012) with the 40 classes of Gupta et al. (2013), as FCN trained it."""

from functools import partial
from pathlib import Path

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
from fullconv.io.palettes import VOID, voc_palette
from fullconv.io.visible import visible

CLASSES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
    *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow"),
    *("mirror", "floor mat", "clothes", "ceiling", "books", "refridgerator", "television"),
    *("paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand"),
    *("toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture"),
    *("otherprop",),
)


def scan(source: str) -> Inventory:
    """List NYUDv2 in the FCN authors' layout (nyud.tar.gz); the colour photos only.

    The photos are data/images/img_*.png, the masks segmentation/img_*.mat; every list NAME.txt of
    numbers is a split.

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = Path(source)
    mapping = dict.fromkeys((0, VOID), VOID) | {label + 1: label for label in range(len(CLASSES))}
    table = MaskTable(LabelTable(CLASSES, mapping, "expected the 40-class labels, 0 to 40"))
    palette = voc_palette(len(CLASSES))
    inventory = Inventory(folder, "nyud", lambda masks, read: (CLASSES, palette, table))
    inventory.declared = len(CLASSES)
    inventory.read = partial(read_pair, table=table, raw=mat_raw("segmentation"))
    images = files_by_stem(inventory, _images(folder), IMAGES, "img_")
    masks = files_by_stem(inventory, folder / "segmentation", (".mat",), "img_")
    if not images or not masks:
        raise unknown_layout(folder, "nyud", "data/images/img_*.png and segmentation/img_*.mat")
    add_stems(
        inventory, images, masks, inventory.read_splits(find_lists(folder, ("",), any_name=True))
    )
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds segmentation/ with MATLAB files, and photos."""
    return any(visible(folder / "segmentation", "img_*.mat")) and _images(folder).is_dir()


def _images(folder: Path) -> Path:
    nested = folder / "data" / "images"
    return nested if nested.is_dir() else folder / "images"


formats.register("nyud")(
    Format(
        summary="data/images/img_*.png and segmentation/img_*.mat",
        scan=scan,
        recognises=recognises,
    )
)
