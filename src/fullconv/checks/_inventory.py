"""What a data set consists of, listed without refusing anything: pairs, and what has no partner."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from fullconv.colors import Palette
from fullconv.errors import DataError
from fullconv.formats import camvid, voc
from fullconv.formats._classes import declared_classes
from fullconv.formats._encoding import resolve
from fullconv.formats._layout import canonical, find_lists, find_parts, lists_pairs
from fullconv.formats._masks import MaskTable
from fullconv.formats._pairs import (
    Pair,
    Pairing,
    list_lines,
    pairing,
    pictures,
    select_known,
    two_files,
)
from fullconv.formats._stems import PHOTOS
from fullconv.splits import hash_split

Read = Callable[[Path], np.ndarray]
Classes = tuple[tuple[str, ...], Palette, MaskTable]


@dataclass
class Inventory:
    """The files of a data set and their faults, before any of them is opened.

    Attributes:
        folder: the data set.
        layout: the format's name.
        splits: split -> pairs.
        divided: whether the splits are on disk; else they follow from the hash of the names.
        resolve: (masks, reader of their values) -> classes, palette and the table of the masks.
        declared: how many classes the data set declares; None where it does not.
        photos: photos without a mask.
        masks: masks without a photo.
        doubles: two files of one stem.
        lines: (list, what is wrong with a line of it).
    """

    folder: Path
    layout: str
    resolve: Callable[[Sequence[Path], Read], Classes]
    declared: int | None = None
    splits: dict[str, list[Pair]] = field(default_factory=dict)
    divided: bool = True
    photos: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    doubles: list[tuple[Path, Path]] = field(default_factory=list)
    lines: list[tuple[Path, str]] = field(default_factory=list)

    def keep(self, split: str | None) -> None:
        """Leave only one split; None: train, val and test, without their parts and unions.

        Raises:
            DataError: there is no such split.
        """
        usual = [name for name in self.splits if name in ("train", "val", "test")]
        chosen = usual or [*self.splits]
        if split is not None:
            chosen = [name for name in self.splits if name in (split, canonical(split))]
        if not chosen:
            names = ", ".join(sorted(self.splits)) or "none"
            raise DataError(f"{self.folder} has no split {split!r}; there are: {names}")
        self.splits = {name: self.splits[name] for name in chosen}


def take(folder: Path, layout: str) -> Inventory | None:
    """The inventory of a folder; None for layouts that only their format can read.

    Raises:
        DataError: the folders themselves are not there.
    """
    if layout not in _LAYOUTS:
        return None
    return _LAYOUTS[layout](folder)


def _of_folders(folder: Path) -> Inventory:
    declared = declared_classes(folder)

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        found, table = resolve(declared, masks, read)
        return found.classes, found.palette, table

    stock = Inventory(folder, "folders", classes, len(declared.classes) if declared else None)
    parts = find_parts(folder)
    lists = {} if parts and parts[0].split else find_lists(folder)
    if lists and lists_pairs(folder):
        _add_lists(stock, lists)
        return stock
    found = [pairing(part.photos, part.masks, part.base) for part in parts]
    stock.doubles = [two for one in found for two in one.doubles]
    if lists:
        pairs = [pair for one in found for pair in one.pairs]
        for split, path in lists.items():
            stock.splits[split], faulty = select_known(pairs, path, folder)
            stock.lines += [(path, sentence) for _, sentence in faulty]
        return stock
    shares = Counter(part.masks for part in parts)
    stock.photos = [path for one in found for path in one.photos]
    for part, one in zip(parts, found, strict=True):
        stock.splits.setdefault(part.split or "", []).extend(one.pairs)
        if shares[part.masks] == 1:
            stock.masks += one.masks
    stock.masks += _left_over([m for m in shares if shares[m] > 1], found)
    _divide(stock)
    return stock


def _left_over(folders: Iterable[Path], found: Sequence[Pairing]) -> list[Path]:
    used = {pair.mask for one in found for pair in one.pairs}
    return [mask for masks in folders for mask in pictures(masks) if mask not in used]


def _divide(stock: Inventory) -> None:
    if "" in stock.splits:
        pairs = stock.splits.pop("")
        stock.divided = False
        parts = hash_split([pair.name for pair in pairs])
        parts = {name: indices for name, indices in parts.items() if indices}
        stock.splits |= {name: [pairs[i] for i in indices] for name, indices in parts.items()}


def _of_voc(source: Path) -> Inventory:
    folder = voc.year_of(source)

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        found, table = voc.classes_and_table(folder)
        return found.classes, found.palette, table

    stock = Inventory(folder, "voc", classes)
    photos = _stems(stock, folder / "JPEGImages", PHOTOS)
    masks = _stems(stock, folder / "SegmentationClassAug", (".png",))
    masks |= _stems(stock, folder / "SegmentationClass", (".png", ".jpg", ".jpeg"))
    for path in sorted(folder.glob("ImageSets/Segmentation/*.txt")):
        pairs = stock.splits[canonical(path.stem) or path.stem] = []
        for stem in _listed(stock, path):
            if stem in photos and stem in masks:
                pairs.append(Pair(stem, photos[stem], masks[stem]))
            for what, there in (("photo", photos), ("mask", masks)):
                if stem not in there:
                    stock.lines.append((path, f"{stem!r} has no {what}"))
    stock.masks = [masks[stem] for stem in sorted(masks.keys() - photos.keys())]
    return stock


def _listed(stock: Inventory, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for line in list_lines(path):
        stem = PurePosixPath(line.split()[0].replace("\\", "/")).name
        stem = stem.removesuffix(".jpg").removesuffix(".png")
        if stem in seen:
            stock.lines.append((path, f"{stem!r} stands there twice"))
        else:
            yield stem
        seen.add(stem)


def _stems(stock: Inventory, folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in stems:
                stock.doubles.append((stems[path.stem], path))
            else:
                stems[path.stem] = path
    return stems


def _of_camvid(folder: Path) -> Inventory:
    def classes(masks: Sequence[Path], read: Read) -> Classes:
        return camvid.classes_and_table(folder)

    stock = Inventory(folder, "camvid", classes)
    lists = camvid.list_files(folder)
    if (folder / camvid.PHOTOS).is_dir():
        found = pairing(folder / camvid.PHOTOS, folder / camvid.MASKS, folder)
        stock.photos, stock.masks = [*found.photos], [*found.masks]
        stock.doubles = [*found.doubles]
        stock.splits[""] = [*found.pairs]
        if lists:
            stock.splits = {
                name: select_known(found.pairs, path, folder)[0] for name, path in lists.items()
            }
        _divide(stock)
        return stock
    _add_lists(stock, lists)
    for name in stock.splits:
        photos, masks = folder / name, folder / f"{name}annot"
        if photos.is_dir() and masks.is_dir():
            found = pairing(photos, masks, folder)
            stock.doubles += found.doubles
            listed = {mask.name for two in stock.splits.values() for mask in _both(two)}
            stock.photos += [path for path in found.photos if path.name not in listed]
            stock.masks += [path for path in found.masks if path.name not in listed]
    return stock


def _both(pairs: Iterable[Pair]) -> Iterator[Path]:
    for pair in pairs:
        yield from (pair.photo, pair.mask)


def _add_lists(stock: Inventory, lists: Mapping[str, Path]) -> None:
    for split, path in lists.items():
        pairs = stock.splits[split] = []
        for line in list_lines(path):
            two = two_files(stock.folder, line) or _two_links(stock.folder, line)
            if two is None:
                stock.lines.append((path, f"{line!r} names no photo and mask that are there"))
            else:
                pairs.append(Pair(two[0].stem, *two))


def _two_links(folder: Path, line: str) -> tuple[Path, Path] | None:
    """The two files of a line of which at least one is a link that leads nowhere."""
    words = line.split()
    found = [_lexists(folder, word) for word in words]
    return (found[0], found[1]) if len(found) == 2 and found[0] and found[1] else None


def _lexists(folder: Path, text: str) -> Path | None:
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in "/.."]
    paths = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in paths if os.path.lexists(path)), None)


_LAYOUTS: Mapping[str, Callable[[Path], Inventory]] = {
    "folders": _of_folders,
    "voc": _of_voc,
    "camvid": _of_camvid,
}
