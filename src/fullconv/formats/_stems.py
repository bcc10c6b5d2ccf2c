"""Data sets whose lists name stems, and whose photos and masks lie in one folder each."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fullconv.errors import DataError, NoSplitError
from fullconv.formats._lines import list_lines
from fullconv.formats._pairs import Pair

PHOTOS = (".jpg", ".jpeg", ".png")


def by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files in `folder` that end so, by their stem; empty where there is no such folder."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return {path.stem: path for path in files}


def listed(path: Path) -> list[str]:
    """The stems in a list; what follows the first word of a line does not count.

    Raises:
        DataError: a stem stands there twice.
    """
    words = [line.split()[0] for line in list_lines(path)]
    stems = [word.replace("\\", "/").rpartition("/")[2] for word in words]
    stems = [stem.removesuffix(".jpg").removesuffix(".png").removesuffix(".mat") for stem in stems]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(f"{path}: {twice} stands there twice; expected each name once")
    return stems


def joined(
    stems: Iterable[str], photos: Mapping[str, Path], masks: Mapping[str, Path], where: Path
) -> list[Pair]:
    """The pairs of these stems.

    Raises:
        DataError: one has no photo or no mask; `where` is the list that names it.
    """
    stems = list(stems)
    for what, there in (("photo", photos), ("mask", masks)):
        missing = [stem for stem in stems if stem not in there]
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            place = next(iter(there.values())).parent if there else "the data set, which has none"
            raise DataError(
                f"{where}: {len(missing)} of {len(stems)} names have no {what}: {shown}; expected "
                f"{what}s of these names in {place}"
            )
    return [Pair(stem, photos[stem], masks[stem]) for stem in stems]


def chosen_list(lists: Mapping[str, Path], split: str, folder: Path) -> Path:
    """The list of a split.

    Raises:
        NoSplitError: there is none; the message names those there are.
    """
    if split not in lists:
        raise NoSplitError(folder, split, sorted(lists))
    return lists[split]


def nothing(folder: Path, name: str, expected: str) -> DataError:
    """The error for a folder that is none of format `name`."""
    inside = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else []
    what = f"holds {', '.join(inside) or 'nothing'}" if folder.is_dir() else "is no folder"
    return DataError(f"{folder} {what}; {name} expects {expected}")
