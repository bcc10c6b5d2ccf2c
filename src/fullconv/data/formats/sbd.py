"""SBD, the Semantic Boundaries Dataset (Hariharan et al., 2011): VOC's classes on 11355 photos.

Its masks have no void borders, and its train list contains photos of VOC's validation set: a model
trained on it may be evaluated on seg11valid (736 photos), which excludes them, not on VOC's val.
"""

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
from fullconv.data.formats.voc import CLASSES
from fullconv.data.labels.masks import MaskTable, read_pair
from fullconv.data.labels.tables import identity_table
from fullconv.io.palettes import voc_palette
from fullconv.io.visible import visible


def scan(source: str) -> Inventory:
    """List SBD: benchmark_RELEASE, or the folder `dataset` in it.

    Masks are cls/*.mat, or cls/*.png if they were converted; every list NAME.txt is a split.

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = _dataset(Path(source))
    if folder is None:
        expected = "img/, cls/ and train.txt (benchmark_RELEASE/dataset)"
        raise unknown_layout(Path(source), "sbd", expected)
    table, palette = MaskTable(identity_table(CLASSES)), voc_palette(len(CLASSES))
    inventory = Inventory(folder, "sbd", lambda masks, read: (CLASSES, palette, table))
    inventory.declared = len(CLASSES)
    images = files_by_stem(inventory, folder / "img", IMAGES)
    masks = files_by_stem(inventory, folder / "cls", (".mat",))
    if masks:
        raw = mat_raw("GTcls", "Segmentation")
        inventory.read = partial(read_pair, table=table, raw=raw)
    masks = masks or files_by_stem(inventory, folder / "cls", (".png",))
    add_stems(
        inventory, images, masks, inventory.read_splits(find_lists(folder, ("",), any_name=True))
    )
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds img/, cls/ and a list."""
    return _dataset(folder) is not None


def _dataset(folder: Path) -> Path | None:
    for place in ("", "dataset", "benchmark_RELEASE/dataset"):
        root = folder / place
        if all((root / part).is_dir() for part in ("img", "cls")) and any(visible(root, "*.txt")):
            return root
    return None


formats.register("sbd")(
    Format(
        summary="benchmark_RELEASE/dataset with img/, cls/*.mat, train.txt and val.txt",
        scan=scan,
        recognises=recognises,
    )
)
