"""SIFT Flow (Liu et al., 2011; labels of Tighe and Lazebnik, 2010): outdoor scenes, 33 classes.

Three classes (cow, desert, moon) do not occur in the published test set; they stay classes, and the
mean IoU leaves out classes that do not occur.
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
from fullconv.data.labels.masks import MaskTable, read_pair
from fullconv.data.labels.tables import LabelTable
from fullconv.io.palettes import VOID, voc_palette

CLASSES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow"),
    *("crosswalk", "desert", "door", "fence", "field", "grass", "moon", "mountain", "person"),
    *("plant", "pole", "river", "road", "rock", "sand", "sea", "sidewalk", "sign", "sky"),
    *("staircase", "streetlight", "sun", "tree", "window"),
)

_ORIGINAL_TEST = "TestSet1"


def scan(source: str) -> Inventory:
    """List SIFT Flow.

    Every list NAME.txt is a split, such as the FCN authors' trainval and test; with the original's
    TestSet1.txt there is also "test", and "trainval" for the rest.

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = Path(source)
    if not recognises(folder):
        raise unknown_layout(folder, "siftflow", "Images/*/*.jpg and SemanticLabels/*/*.mat")
    mapping = dict.fromkeys((0, VOID), VOID) | {label + 1: label for label in range(len(CLASSES))}
    table = MaskTable(LabelTable(CLASSES, mapping, "expected the published labels, 0 to 33"))
    palette = voc_palette(len(CLASSES))
    inventory = Inventory(folder, "siftflow", lambda masks, read: (CLASSES, palette, table))
    inventory.declared = len(CLASSES)
    inventory.read = partial(read_pair, table=table, raw=mat_raw("S"))
    images = _files(inventory, folder / "Images", IMAGES)
    masks = _files(inventory, folder / "SemanticLabels", (".mat",))
    lists = inventory.read_splits(find_lists(folder, ("",), any_name=True))
    if _ORIGINAL_TEST in lists:
        lists.setdefault("test", lists[_ORIGINAL_TEST])
    add_stems(inventory, images, masks, lists)
    if _ORIGINAL_TEST in lists and "trainval" not in lists:
        test = inventory.splits[_ORIGINAL_TEST]
        inventory.splits["trainval"] = [pair for pair in inventory.pairs if pair not in test]
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds Images/ and SemanticLabels/."""
    return (folder / "Images").is_dir() and (folder / "SemanticLabels").is_dir()


def _files(inventory: Inventory, folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    files = files_by_stem(inventory, folder, suffixes)
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
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
