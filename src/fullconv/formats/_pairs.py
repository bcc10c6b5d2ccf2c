"""A photo and its mask, and the name of the sample that they are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fullconv.errors import DataError

PHOTO_FOLDERS = (
    *("images", "image", "imgs", "img", "img_dir", "photos", "photo", "jpegimages", "inputs"),
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Line = tuple[Path, str]
"""A list, or whatever else names photos, and what is wrong with one line or entry of it."""


@dataclass(frozen=True)
class Pair:
    """One photo, its mask, and the name of the sample."""

    name: str
    photo: Path
    mask: Path


def named(found: Iterable[tuple[Path, Path]], folder: Path) -> list[Pair]:
    """Pairs with their names: the photo's path without suffix, its folders joined by "__".

    Raises:
        DataError: two photos would have one name.
    """
    pairs = [Pair(name_of(photo, folder), photo, mask) for photo, mask in found]
    check_names(pairs)
    return sorted(pairs, key=lambda pair: pair.name)


def check_names(pairs: Sequence[Pair]) -> None:
    """Raise a DataError where two samples would write to one file."""
    counts = Counter(pair.name.casefold() for pair in pairs)
    twice = [pair.photo for pair in pairs if counts[pair.name.casefold()] > 1]
    if twice:
        raise DataError(f"{len(twice)} photos have one name with another: {a_few(twice)}; rename")


def unique(pairs: Iterable[Pair]) -> tuple[list[Pair], list[tuple[Path, Path]]]:
    """The pairs without those whose name is taken; and (photo that has the name, other photo)."""
    kept: dict[str, Pair] = {}
    doubles = []
    for pair in pairs:
        first = kept.setdefault(folded(pair.name), pair)
        if first is not pair:
            doubles.append((first.photo, pair.photo))
    return [*kept.values()], doubles


def line_of(path: Path, error: DataError) -> Line:
    """What an error says was found in the list `path`, without what it expected."""
    return path, str(error).partition("; ")[0].removeprefix(f"{path}: ")


def name_of(photo: Path, folder: Path) -> str:
    """The name of a sample: its photo's path without suffix, its folders joined by "__"."""
    inside = place_in(photo, folder)
    # A line break in a file's name would break lists, tables and messages.
    return _CONTROL.sub("_", "__".join((*parts_of(inside)[:-1], inside.stem)))


def folded(text: str) -> str:
    """A name as it is compared: capitals do not count."""
    # macOS stores "ü" as two characters, Linux as one.
    return unicodedata.normalize("NFC", text).casefold()


def place_in(path: Path, folder: Path) -> PurePosixPath:
    """Where a file lies within a data set; of one that lies elsewhere the end of its path."""
    if path.is_relative_to(folder):
        return PurePosixPath(path.relative_to(folder).as_posix())
    return PurePosixPath(*path.parts[-3:])


def parts_of(inside: PurePosixPath) -> tuple[str, ...]:
    """The parts of a path but for folders whose name only says that photos are in them."""
    folders = [part for part in inside.parts[:-1] if part.casefold() not in PHOTO_FOLDERS]
    return (*folders, inside.name)


def a_few(paths: Sequence[Path]) -> str:
    """The first three paths, and how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(str(path) for path in paths[:3]) + more
