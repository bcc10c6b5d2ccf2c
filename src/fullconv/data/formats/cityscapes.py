"""Cityscapes (Cordts et al., 2016): leftImg8bit/ and gtFine/, 19 classes."""

import os
from collections.abc import Iterator
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.problems import UNION
from fullconv.data.discovery.stems import IMAGES, unknown_layout
from fullconv.data.formats import Format, formats
from fullconv.data.labels.masks import MaskTable
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Color
from fullconv.io.visible import visible

# (labelId, name, colour) of the 19 evaluated classes, in the order of their trainIds:
# cityscapesscripts/helpers/labels.py.
TRAINED: tuple[tuple[int, str, Color], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
CLASSES = tuple(name for _, name, _ in TRAINED)
PALETTE = tuple(color for _, _, color in TRAINED)
LABEL_IDS = range(34)  # and -1, the licence plate, which is 255 in 8 bits

_PHOTO = "_leftImg8bit"
_KINDS = ("labelIds", "labelTrainIds")


def scan(source: str) -> Inventory:
    """List Cityscapes: leftImg8bit/ and gtFine/, or gtCoarse/ for what is not in gtFine/.

    Masks are *_labelIds.png, of which 19 ids are classes and the rest is void, or, if more photos
    have those, *_labelTrainIds.png. The published masks of "test" are placeholders: all void.

    Raises:
        DataError: the folder does not have this layout, or no photo has a mask.
    """
    folder = Path(source)
    parts = _parts(folder)
    kind = _kind(folder, parts)
    table = _table(kind)
    inventory = Inventory(folder, "cityscapes", lambda masks, read: (CLASSES, PALETTE, table))
    inventory.declared, inventory.note = len(CLASSES), _unlabelled(folder)
    expected = {
        split: [_pair(folder, photo, kind) for photo in photos] for split, photos in parts.items()
    }
    _, duplicates = unique(pair for pairs in expected.values() for pair in pairs)
    inventory.same_stems(duplicates, UNION)
    for name, pairs in expected.items():
        pairs, duplicates = unique(pairs)
        inventory.same_stems(duplicates, name)
        masks = _ground_truth(folder, name) / name
        inventory.splits[name] = [pair for pair in pairs if os.path.lexists(pair.mask)]
        lonely = [pair.photo for pair in pairs if not os.path.lexists(pair.mask)]
        inventory.unmatched(lonely, name, f"{masks} (*_{masks.parent.name}_{kind}.png)")
        known = {pair.mask for pair in pairs}
        unused = [mask for mask in _masks(folder, name, kind) if mask not in known]
        inventory.orphans(unused, name, folder / "leftImg8bit" / name, fatal=False)
    for name in _without_photos(folder):
        unused = _masks(folder, name, kind)
        inventory.orphans(unused, None, folder / "leftImg8bit" / name, fatal=False)
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it holds leftImg8bit/ and gtFine/ or gtCoarse/."""
    fine, coarse = folder / "gtFine", folder / "gtCoarse"
    return (folder / "leftImg8bit").is_dir() and (fine.is_dir() or coarse.is_dir())


def _parts(folder: Path) -> dict[str, list[Path]]:
    """Return the photos of each split; a test split without a folder of masks is left out."""
    if not recognises(folder):
        raise unknown_layout(folder, "cityscapes", "leftImg8bit/ and gtFine/")
    names = sorted(path.name for path in visible(folder / "leftImg8bit", "*/"))
    parts = {name: [*_photos(folder, name)] for name in names if not _is_bare(folder, name)}
    if not any(parts.values()):
        raise DataError(
            f"{folder / 'leftImg8bit'} holds no photos with masks",
            expected=f"SPLIT/CITY/*{_PHOTO}.png, and their masks in {folder / 'gtFine'}",
        )
    return parts


def _without_photos(folder: Path) -> list[str]:
    """Return the splits that have a folder of masks only; those of test are placeholders."""
    names = {
        path.name for place in ("gtFine", "gtCoarse") for path in visible(folder / place, "*/")
    }
    photos = {path.name for path in visible(folder / "leftImg8bit", "*/")}
    return sorted(names - photos - {"test"})


def _photos(folder: Path, split: str) -> Iterator[Path]:
    for path in sorted(visible(folder / "leftImg8bit" / split, f"*/*{_PHOTO}.*")):
        if path.suffix.lower() in IMAGES:
            yield path


def _is_bare(folder: Path, split: str) -> bool:
    masks = (folder / "gtFine" / split, folder / "gtCoarse" / split)
    return split == "test" and not any(path.is_dir() for path in masks)


def _unlabelled(folder: Path) -> str:
    photos = folder / "leftImg8bit" / "test"
    return f"; {photos} has no masks in gtFine/" if photos.is_dir() else ""


def _kind(folder: Path, parts: dict[str, list[Path]]) -> str:
    """Return the kind of masks that more photos have; all splits share one table."""
    photos = [photo for part in parts.values() for photo in part]

    def number(kind: str) -> int:
        return sum(os.path.lexists(_pair(folder, photo, kind).mask) for photo in photos)

    return max(_KINDS, key=number)


def _pair(folder: Path, photo: Path, kind: str) -> Pair:
    """Return a photo and the mask that it should have."""
    split, city = photo.parts[-3:-1]
    masks, name = _ground_truth(folder, split), photo.stem.removesuffix(_PHOTO)
    return Pair(name, photo, masks / split / city / f"{name}_{masks.name}_{kind}.png")


def _masks(folder: Path, split: str, kind: str) -> list[Path]:
    masks = _ground_truth(folder, split)
    return sorted(visible(masks / split, f"*/*_{masks.name}_{kind}.png"))


def _ground_truth(folder: Path, split: str) -> Path:
    fine, coarse = folder / "gtFine", folder / "gtCoarse"
    return coarse if (coarse / split).is_dir() and not (fine / split).is_dir() else fine


def _table(kind: str) -> MaskTable:
    return MaskTable(_of_ids() if kind == "labelIds" else _of_train_ids())


def _of_ids() -> LabelTable:
    void = dict.fromkeys((*LABEL_IDS, VOID), VOID)
    mapping = void | {number: label for label, (number, _, _) in enumerate(TRAINED)}
    return LabelTable(CLASSES, mapping, "expected labelIds, 0 to 33, as they were published")


def _of_train_ids() -> LabelTable:
    mapping = {label: label for label in range(len(CLASSES))} | {VOID: VOID}
    return LabelTable(CLASSES, mapping, "expected trainIds, 0 to 18, and 255")


formats.register("cityscapes")(
    Format(
        summary="leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY",
        scan=scan,
        recognises=recognises,
    )
)
