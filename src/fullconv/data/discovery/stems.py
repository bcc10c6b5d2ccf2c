"""Data sets of one folder of images and one of masks, whose lists name equal stems."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.lists import NameIndex, SplitList
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.visible import visible

IMAGES = (".jpg", ".jpeg", ".png")


def files_by_stem(
    inventory: Inventory, folder: Path, suffixes: Sequence[str], prefix: str = ""
) -> dict[str, Path]:
    """Return the files in `folder` with one of the suffixes, by stem.

    Two files of one stem are a problem of `inventory`; hidden files are left out.

    Args:
        inventory: takes the problems.
        folder: may be missing.
        suffixes: in lower case.
        prefix: taken off the stems.
    """
    found: dict[str, Path] = {}
    for path in sorted(visible(folder)):
        if path.suffix.lower() in suffixes:
            first = found.setdefault(path.stem.removeprefix(prefix), path)
            if first != path:
                inventory.same_stems([(first, path)])
    return found


def add_stems(
    inventory: Inventory,
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    lists: Mapping[str, SplitList],
    partial: Iterable[str] = (),
) -> None:
    """Add the samples of stems, and the splits of lists that name them.

    Args:
        inventory: takes samples and problems.
        images: stem -> file.
        masks: stem -> file.
        lists: split -> list.
        partial: splits whose lists name images without a mask, which are left out.
    """
    both = sorted(images.keys() & masks.keys())
    inventory.pairs = [Pair(stem, images[stem], masks[stem]) for stem in both]
    lonely = [masks[stem] for stem in sorted(masks.keys() - images.keys())]
    inventory.orphans(lonely, None, _folder_of(images), fatal=False)
    names = sorted(images.keys() | masks.keys())
    index = NameIndex.of_names(names)
    for split, part in lists.items():
        indices, errors = part.select(index)
        stems = [names[place] for place in indices]
        if split in partial:
            stems, errors = [stem for stem in stems if stem in masks], []
        lacking = [stem for stem in stems if not (stem in images and stem in masks)]
        errors += [_lacking(part, stem, images, masks) for stem in lacking]
        inventory.bad_entries(errors, split)
        inventory.splits[split] = [
            Pair(stem, images[stem], masks[stem]) for stem in stems if stem not in lacking
        ]


def _lacking(
    part: SplitList, stem: str, images: Mapping[str, Path], masks: Mapping[str, Path]
) -> DataError:
    what, there = ("photo", images) if stem not in images else ("mask", masks)
    expected = f"a {what} of this name in {_folder_of(there)}"
    return part.problem(f"{stem!r} has no {what}", expected)


def _folder_of(files: Mapping[str, Path]) -> object:
    return next(iter(files.values())).parent if files else "the data set, which has none"


def unknown_layout(folder: Path, name: str, expected: str) -> DataError:
    """Return the error for a folder that does not have the layout of the format `name`."""
    inside = sorted(path.name for path in visible(folder))[:8]
    what = f"holds {', '.join(inside) or 'nothing'}" if folder.is_dir() else "is not a folder"
    return DataError(f"{folder} {what}, which is not the layout of {name}", expected=expected)
