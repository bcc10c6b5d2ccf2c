"""Images and masks in parallel folders: the layout of people's own data sets."""

import filecmp
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fullconv.data.discovery.files import find_images
from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.layout import ParallelFolders, choose_lists, find_parts, has_parts
from fullconv.data.discovery.lists import lists_pairs
from fullconv.data.discovery.pairing import Pairing, other_file, pair_folders, unique
from fullconv.data.discovery.problems import Problem
from fullconv.data.discovery.unknown import explain
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.encoding import refuse_jpeg, resolve
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.visible import visible


def scan(source: str) -> Inventory:
    """List images and masks in parallel folders.

    Splits are sub-folders (images/train and masks/train, train/images and train/masks, train and
    train_labels, or those of dataset.yaml), else lists (train.txt, splits/train.txt); if there is
    neither, "train" and "val" follow from the hash of the names.

    Raises:
        DataError: there are no such folders, or more than one can be meant.
    """
    folder = Path(source)

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        refuse_jpeg(masks)
        found, table = resolve(declared_classes(folder, numbered=True), masks, read)
        return found.classes, found.palette, table

    inventory = Inventory(folder, "folders", classes, _declared(folder))
    parts = find_parts(folder)
    paths = choose_lists(folder, parts)
    lists = inventory.read_splits(paths)
    if lists_pairs(folder, lists.values()):
        for split, part in lists.items():
            pairs, errors = part.pairs(folder)
            inventory.splits[split], duplicates = unique(pairs)
            inventory.same_stems(duplicates, split)
            inventory.bad_entries(errors, split)
        inventory.needed = "a line of every photo in a list"
        return inventory
    if not parts:
        raise _no_folders(folder)
    found = [_pairing(part) for part in parts]
    _refuse_shared_masks(inventory, found)
    if paths:
        unmatched = {
            path: part.masks
            for part, pairing in zip(parts, found, strict=True)
            for path in pairing.unmatched_images
        }
        inventory.match_lists(_all_pairs(inventory, found), lists, unmatched)
        _add_unlisted(inventory, parts, found)
    else:
        _add_parts(inventory, parts, found)
    return inventory


def _declared(folder: Path) -> int | None:
    try:
        found = declared_classes(folder)
    except DataError:  # `resolve` raises it again, after everything else was looked at
        return None
    return len(found.classes) if found else None


def _pairing(part: ParallelFolders) -> Pairing:
    if part.only == frozenset():
        return Pairing()
    found = pair_folders(part.images, part.masks, part.base)
    if part.only is None:
        return found
    pairs = tuple(pair for pair in found.pairs if pair.photo in part.only)
    images = tuple(path for path in found.unmatched_images if path in part.only)
    return Pairing(pairs, images, (), found.duplicates)


def _all_pairs(inventory: Inventory, found: Sequence[Pairing]) -> list[Pair]:
    for pairing in found:
        inventory.same_stems(pairing.duplicates)
    pairs, duplicates = unique(pair for pairing in found for pair in pairing.pairs)
    inventory.same_stems(duplicates)
    return pairs


def _refuse_shared_masks(inventory: Inventory, found: Sequence[Pairing]) -> None:
    """Add a problem for each mask whose stem two different photos have, such as 1 in two splits."""
    photos: dict[Path, Path] = {}
    for pair in (pair for pairing in found for pair in pairing.pairs):
        first = photos.setdefault(pair.mask, pair.photo)
        if first == pair.photo or _are_equal(first, pair.photo):
            continue
        error = DataError(
            f"the mask of two photos, {first} and {pair.photo}, which differ",
            expected="a mask for each photo",
            remedy="put the masks into folders like those of the photos, such as masks/train/ and "
            "masks/val/, or rename one photo and its mask",
            where=pair.mask,
            code="one-stem-twice",
        )
        inventory.problems.append(Problem(error, pair.mask, None, other=pair.photo))


def _are_equal(first: Path, second: Path) -> bool:
    """Return whether two files hold the same bytes; also if one of them cannot be read."""
    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:  # reading the sample reports it
        return True


def _add_unlisted(
    inventory: Inventory, parts: Sequence[ParallelFolders], found: Sequence[Pairing]
) -> None:
    """Add photos and masks without a partner that no list names."""
    known = {problem.path for problem in inventory.problems}
    known |= {pair.mask for pairing in found for pair in pairing.pairs}  # folders may share masks
    for part, pairing in zip(parts, found, strict=True):
        lonely = [path for path in pairing.unmatched_images if path not in known]
        inventory.unmatched(lonely, None, part.masks, fatal=False)
        lonely = [path for path in pairing.unmatched_masks if path not in known]
        inventory.orphans(lonely, None, part.images, fatal=False)
        known.update(lonely)


def _add_parts(
    inventory: Inventory, parts: Sequence[ParallelFolders], found: Sequence[Pairing]
) -> None:
    """Add what is in folders, and the problems of each split."""
    shares = Counter(part.masks for part in parts)
    for part, pairing in zip(parts, found, strict=True):
        split = part.split
        inventory.bad_entries(part.problems, split)
        if split and part.broken:
            inventory.broken(split, part.broken)
            continue
        inventory.same_stems(pairing.duplicates, split)
        images, masks = pairing.unmatched_images, pairing.unmatched_masks
        hint = other_file(images[0], part.masks) if images else ""
        inventory.unmatched(images, split, part.masks, hint)
        if shares[part.masks] == 1:
            hint = other_file(masks[0], part.images) if masks else ""
            inventory.orphans(masks, split, part.images, fatal=True, hint=hint)
        if split:
            inventory.splits.setdefault(split, []).extend(pairing.pairs)
    used = {pair.mask for pairing in found for pair in pairing.pairs}
    shared = {part.masks for part in parts if part.only is None and shares[part.masks] > 1}
    unused = [m for masks in sorted(shared) for m in find_images(masks) if m not in used]
    inventory.orphans(unused, None, "the folders of the photos", fatal=False)
    if not any(part.split for part in parts):
        inventory.divide([pair for pairing in found for pair in pairing.pairs])
    for split, pairs in inventory.splits.items():
        inventory.splits[split], duplicates = unique(pairs)
        inventory.same_stems(duplicates, split)


def _no_folders(folder: Path) -> DataError:
    inside = sorted(path.name for path in visible(folder))[:8]
    what = f"holds {', '.join(inside) or 'nothing'}" if folder.is_dir() else "is not a folder"
    known = explain(folder)
    return DataError(
        f"{folder} {what}" + (f": {known.found}" if known.found else ""),
        expected=(
            "a folder of photos (images, photos, img_dir, ...) beside a folder of masks (masks, "
            "annotations, labels, gt, ...), with or without train and val"
        ),
        remedy=known.remedy,
    )


formats.register("folders")(
    Format(
        summary="images/ and masks/ with equal stems, and classes.txt",
        scan=scan,
        recognises=has_parts,
        lists=True,
        fallback=True,
    )
)
