"""The inventories of folders, VOC and CamVid: every file is listed, and every fault of a list."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.layout import Part, chosen_lists, find_parts, lists_pairs
from fullconv.data.discovery.lists import list_lines, select_known, two_files
from fullconv.data.discovery.pairing import Pairing, pairing, pictures
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.encoding import resolve
from fullconv.data.sample import Pair
from fullconv.errors import DataError


def of_folders(source: str) -> Inventory:
    """Photos and masks in parallel folders.

    Raises:
        DataError: the folders themselves are not there.
    """
    folder = Path(source)

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        found, table = resolve(declared_classes(folder), masks, read)
        return found.classes, found.palette, table

    stock = Inventory(folder, "folders", classes, _declared(folder))
    parts = find_parts(folder)
    lists = chosen_lists(folder, parts)
    if lists and lists_pairs(folder, lists):
        add_lists(stock, lists)
        return stock
    found = [_of_part(part) for part in parts]
    stock.bad_lines += [fault for part in parts for fault in part.faulty]
    stock.duplicates = [*dict.fromkeys(two for one in found for two in one.duplicates)]
    if lists:
        pairs = [pair for one in found for pair in one.pairs]
        for split, path in lists.items():
            stock.splits[split], faulty = select_known(pairs, path, folder)
            stock.bad_lines += faulty
        return stock
    shares = Counter(part.masks for part in parts)
    stock.unmatched_images = [path for one in found for path in one.photos]
    for part, one in zip(parts, found, strict=True):
        stock.splits.setdefault(part.split or "", []).extend(one.pairs)
        if shares[part.masks] == 1:
            stock.unmatched_masks += one.masks  # none where a list tells the photos
    whole = {part.masks for part in parts if part.only is None and shares[part.masks] > 1}
    stock.unmatched_masks += _left_over([masks for masks in shares if masks in whole], found)
    stock.divide()
    return stock


def add_lists(stock: Inventory, lists: Mapping[str, Path]) -> None:
    """Add the splits whose lists name a photo and a mask in each line."""
    for split, path in lists.items():
        pairs = stock.splits[split] = []
        for line in list_lines(path):
            two = two_files(stock.folder, line) or _two_links(stock.folder, line)
            if two is None:
                stock.bad_lines.append((path, f"{line!r} names no photo and mask that are there"))
            else:
                pairs.append(Pair(two[0].stem, *two))


def listed_stems(stock: Inventory, path: Path) -> Iterator[str]:
    """The stems in a list; one that stands there again is a fault."""
    seen: set[str] = set()
    for line in list_lines(path):
        stem = PurePosixPath(line.split()[0].replace("\\", "/")).name
        stem = stem.removesuffix(".jpg").removesuffix(".png")
        if stem in seen:
            stock.bad_lines.append((path, f"{stem!r} stands there twice"))
        else:
            yield stem
        seen.add(stem)


def stems(stock: Inventory, folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files in `folder` that end so, by their stem; two of one stem are a fault."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                stock.duplicates.append((found[path.stem], path))
            else:
                found[path.stem] = path
    return found


def _declared(folder: Path) -> int | None:
    try:
        found = declared_classes(folder)
    except DataError:  # resolving them will say so, when all else has been looked at
        return None
    return len(found.classes) if found else None


def _of_part(part: Part) -> Pairing:
    if part.only == frozenset():
        return Pairing((), (), (), ())
    whole = pairing(part.photos, part.masks, part.base)
    if part.only is None:
        return whole
    pairs = tuple(pair for pair in whole.pairs if pair.photo in part.only)
    photos = tuple(path for path in whole.photos if path in part.only)
    return Pairing(pairs, photos, (), whole.duplicates)


def _left_over(folders: Iterable[Path], found: Sequence[Pairing]) -> list[Path]:
    used = {pair.mask for one in found for pair in one.pairs}
    return [mask for masks in folders for mask in pictures(masks) if mask not in used]


def _two_links(folder: Path, line: str) -> tuple[Path, Path] | None:
    """The two files of a line of which at least one is a link that leads nowhere."""
    words = line.split()
    found = [_lexists(folder, word) for word in words]
    return (found[0], found[1]) if len(found) == 2 and found[0] and found[1] else None


def _lexists(folder: Path, text: str) -> Path | None:
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in "/.."]
    paths = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in paths if os.path.lexists(path)), None)
