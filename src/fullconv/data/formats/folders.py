"""Photos and masks in parallel folders: what people bring along."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fullconv.data.discovery.layout import (
    Part,
    canonical,
    chosen_lists,
    find_parts,
    has_parts,
    lists_pairs,
)
from fullconv.data.discovery.listing import of_folders
from fullconv.data.discovery.lists import list_lines, select, two_files
from fullconv.data.discovery.pairing import check_names, match, matched_only, named, pictures
from fullconv.data.discovery.splits import hash_split
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.encoding import no_jpeg, resolve
from fullconv.data.labels.masks import as_data
from fullconv.data.sample import Data, Pair
from fullconv.errors import DataError, NoSplitError


def open_folders(source: str, split: str | None) -> Data:
    """Open photos and masks in parallel folders.

    Splits are sub-folders (images/train and masks/train, train/images and train/masks, train and
    train_labels, or dataset.yaml's), else lists (train.txt, splits/train.txt); where there is none
    of them, "train" and "val" follow from the hash of the names.

    Args:
        source: the folder.
        split: "train", "val", ... or None for all.

    Raises:
        DataError: the folders, the pairs, the classes or the split are not there.
    """
    folder = Path(source)
    pairs, masks = pairs_and_masks(folder, split)
    no_jpeg(masks)
    classes, table = resolve(declared_classes(folder), masks)
    return as_data(source, split, pairs, classes.classes, classes.palette, table)


def pairs_and_masks(folder: Path, split: str | None) -> tuple[list[Pair], list[Path]]:
    """The pairs of a split, and the masks of all splits.

    Raises:
        DataError: the folders, the pairs or the split are not there.
    """
    parts = find_parts(folder)
    if not parts and not lists_pairs(folder):
        raise _no_folders(folder)
    lists = chosen_lists(folder, parts)
    pairs = _chosen(folder, parts, lists, None if split is None else canonical(split) or split)
    return pairs, _all_masks(folder, parts, lists)


def _chosen(
    folder: Path, parts: Sequence[Part], lists: Mapping[str, Path], split: str | None
) -> list[Pair]:
    if lists:
        return _of_lists(folder, parts, lists, split)
    if parts[0].split:
        return _of_parts(folder, parts, split)
    pairs = match(parts[0].photos, parts[0].masks, folder)
    if split is None:
        return pairs
    indices = hash_split([pair.name for pair in pairs])
    _known(folder, split, indices, " (by the hash of the names, since no split is on disk)")
    return [pairs[index] for index in indices[split]]


def _of_parts(folder: Path, parts: Sequence[Part], split: str | None) -> list[Pair]:
    _known(folder, split, {str(part.split) for part in parts})
    chosen = [part for part in parts if split in (None, part.split)]
    shares = Counter(part.masks for part in parts)
    pairs = [pair for part in chosen for pair in _of_part(part, shares[part.masks] > 1)]
    check_names(pairs)
    return pairs


def _of_part(part: Part, shared: bool) -> list[Pair]:
    if part.faulty:
        path, what = part.faulty[0]
        raise DataError(
            what,
            expected="the path of one photo in each line",
            where=path,
        )
    if part.only is None:
        return match(part.photos, part.masks, part.base, shared)
    pairs = [p for p in matched_only(part.photos, part.masks, part.base) if p.photo in part.only]
    lonely = sorted(part.only - {pair.photo for pair in pairs})
    if lonely:
        raise DataError(
            f"{len(lonely)} of {len(part.only)} listed photos have no mask, e.g. {lonely[0]}",
            expected=f"a mask of the same stem under {part.masks}",
        )
    return pairs


def _of_lists(
    folder: Path, parts: Sequence[Part], lists: Mapping[str, Path], split: str | None
) -> list[Pair]:
    _known(folder, split, lists)
    matched: list[Pair] = []
    if not lists_pairs(folder, lists):
        found = (matched_only(part.photos, part.masks, part.base) for part in parts)
        matched = [pair for pairs in found for pair in pairs]
    if split:
        if not list_lines(lists[split]):
            raise DataError(
                f"{lists[split]} names no photo",
                remedy=f"fill it, or delete it for no {split}",
            )
        return _of_list(folder, matched, lists[split])
    every = {
        pair.photo: pair for path in lists.values() for pair in _of_list(folder, matched, path)
    }
    pairs = sorted(every.values(), key=lambda pair: pair.name)
    check_names(pairs)
    return pairs


def _of_list(folder: Path, matched: Sequence[Pair], path: Path) -> list[Pair]:
    lines = list_lines(path)
    files = _files_of(folder, lines)
    if files and len(files) == len(lines):
        return named(files, folder)
    return select(matched, path, folder)


def _files_of(folder: Path, lines: Sequence[str]) -> list[tuple[Path, Path]]:
    return [two for line in lines if (two := two_files(folder, line))]


def _known(folder: Path, split: str | None, known: Iterable[str], how: str = "") -> None:
    if split is not None and split not in (names := sorted(known)):
        raise NoSplitError(folder, split, names, how)


def _all_masks(folder: Path, parts: Sequence[Part], lists: Mapping[str, Path]) -> list[Path]:
    if lists and lists_pairs(folder, lists):
        files = (_files_of(folder, list_lines(path)) for path in lists.values())
        return list(dict.fromkeys(mask for pairs in files for _, mask in pairs))
    roots = dict.fromkeys(part.masks for part in parts if not part.faulty)
    return [path for root in roots for path in pictures(root)]


def _no_folders(folder: Path) -> DataError:
    inside = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else []
    what = f"holds {', '.join(inside) or 'nothing'}" if folder.is_dir() else "is no folder"
    return DataError(
        f"{folder} {what}",
        expected=(
            "a folder of photos (images, photos, img_dir, ...) beside a folder of masks (masks, "
            "annotations, labels, gt, ...), with or without train and val"
        ),
    )


formats.register("folders")(
    Format(
        summary="images/ and masks/ with equal stems, and classes.txt",
        open=open_folders,
        recognises=has_parts,
        lists=True,
        fallback=True,
        inventory=of_folders,
    )
)
