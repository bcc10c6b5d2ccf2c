"""Match photos to masks by file name."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES

# What people append to tell a mask from its photo; longest first, so that the whole goes.
_PHOTO_TAIL = re.compile(r"[_\-. ](leftimg8bit|image|photo|img|sat|rgbir|rgb|irrg)$")
_MASK_TAIL = re.compile(
    r"[_\-. ](gtfine_labeltrainids|gtfine_labelids|labeltrainids|labelids|segmentation|annotation"
    r"|groundtruth|labels|label|masks|mask|ann|seg|gt|l)$"
)
_PHOTO_HEAD = re.compile(r"^(image|photo|img|sat)[_\-. ](?=.)")
_MASK_HEAD = re.compile(r"^(groundtruth|label|mask|seg|gt)[_\-. ](?=.)")


@dataclass(frozen=True)
class Pairing:
    """What two parallel folders hold, the faults included.

    Attributes:
        pairs: photos with their masks.
        photos: those without a mask.
        masks: those without a photo.
        duplicates: two files of one stem, of which the first is the one in the other lists.
    """

    pairs: tuple[Pair, ...]
    photos: tuple[Path, ...]
    masks: tuple[Path, ...]
    duplicates: tuple[tuple[Path, Path], ...]


def match(photos: Path, masks: Path, folder: Path, shared: bool = False) -> list[Pair]:
    """The pairs of two parallel folders, by stem.

    Stems that are equal go together first; then those that are equal without the customary ends
    and beginnings (`_mask`, `_gt`, `_L`, `image_`, ...). Capitals do not count.

    Args:
        photos: the folder of the photos.
        masks: the folder of the masks.
        folder: what names are relative to.
        shared: whether `masks` also holds those of other photos.

    Raises:
        DataError: a photo without a mask, a mask without a photo, or two files of one stem.
    """
    found, lonely_photos, lonely_masks = _matched(photos, masks)
    for lonely, total, what, other, there in (
        (lonely_photos, len(found) + len(lonely_photos), "photo", "mask", masks),
        (lonely_masks, len(found) + len(lonely_masks), "mask", "photo", photos),
    ):
        if lonely and not (shared and what == "mask"):
            raise DataError(
                f"{len(lonely)} of {total} {what}s in {folder} have no {other}: {a_few(lonely)}",
                expected=f"a {other} of the same stem under {there}",
                remedy=f"add it, or take the {what} out{_unread(lonely[0], there)}",
            )
    return named(found, folder)


def matched_only(photos: Path, masks: Path, folder: Path) -> list[Pair]:
    """The pairs of two parallel folders, leaving out what has no counterpart."""
    return named(_matched(photos, masks)[0], folder)


def pairing(photos: Path, masks: Path, folder: Path) -> Pairing:
    """What `match` would pair and what it would refuse; nothing is raised for a fault."""
    doubles: list[tuple[Path, Path]] = []
    found, lonely_photos, lonely_masks = _matched(photos, masks, doubles)
    pairs = [Pair(name_of(photo, folder), photo, mask) for photo, mask in found]
    ordered = tuple(sorted(pairs, key=lambda pair: pair.name))
    return Pairing(ordered, tuple(lonely_photos), tuple(lonely_masks), tuple(doubles))


def bare_stem(stem: str, photo: bool) -> str:
    """A stem without what people append or put before it to say photo, or mask."""
    head, tail = (_PHOTO_HEAD, _PHOTO_TAIL) if photo else (_MASK_HEAD, _MASK_TAIL)
    stem = folded(stem)
    return head.sub("", tail.sub("", stem) or stem)


def _matched(
    photos: Path, masks: Path, doubles: list[tuple[Path, Path]] | None = None
) -> tuple[list[tuple[Path, Path]], list[Path], list[Path]]:
    free_photos = _by_key(pictures(photos), photos, _whole, doubles)
    free_masks = _by_key(pictures(masks), masks, _whole, doubles)
    found = [
        (free_photos.pop(key), free_masks.pop(key)) for key in [*free_photos] if key in free_masks
    ]
    bare_photos = _by_key(free_photos.values(), photos, _bare_photo, doubles)
    bare_masks = _by_key(free_masks.values(), masks, _bare_mask, doubles)
    both = [key for key in bare_photos if key in bare_masks]
    found += [(bare_photos.pop(key), bare_masks.pop(key)) for key in both]
    return found, list(bare_photos.values()), list(bare_masks.values())


def _by_key(
    paths: Iterable[Path],
    folder: Path,
    stem_key: Callable[[str], str],
    doubles: list[tuple[Path, Path]] | None = None,
) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path in paths:
        inside = path.relative_to(folder)
        key = folded((inside.parent / stem_key(inside.stem)).as_posix())
        if key in keys and doubles is not None:
            doubles.append((keys[key], path))
            continue
        if key in keys:
            raise DataError(
                f"{keys[key]} and {path} have one stem, so that it is open which is meant",
                remedy="rename or remove one",
            )
        keys[key] = path
    return keys


def _whole(stem: str) -> str:
    return stem


def _bare_photo(stem: str) -> str:
    return bare_stem(stem, photo=True)


def _bare_mask(stem: str) -> str:
    return bare_stem(stem, photo=False)


def _unread(path: Path, there: Path) -> str:
    """A file of the same stem that is no picture by its suffix: what a user may have meant."""
    others = (p for p in sorted(there.rglob("*")) if p.stem == path.stem and p.is_file())
    found = next((p for p in others if p.suffix.lower() not in SUFFIXES), None)
    return f"; {found} is there, but only {', '.join(SUFFIXES)} are read" if found else ""


PHOTO_FOLDERS = (
    *("images", "image", "imgs", "img", "img_dir", "photos", "photo", "jpegimages", "inputs"),
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Line = tuple[Path, str]
"""A list, or whatever else names photos, and what is wrong with one line or entry of it."""


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
        raise DataError(
            f"{len(twice)} photos have one name with another: {a_few(twice)}",
            remedy="rename",
        )


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
    return path, error.problem.removeprefix(f"{path}: ")


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


def pictures(folder: Path) -> list[Path]:
    """Every picture file under `folder`, in a fixed order; hidden files do not count."""
    return sorted(_walk(folder, set()), key=lambda path: path.relative_to(folder).as_posix())


def has_pictures(folder: Path) -> bool:
    """Whether there is any picture under `folder`."""
    return any(True for _ in _walk(folder, set()))


def located(folder: Path, text: str) -> Path | None:
    """The file that a list means: under `folder`, by the longest part of its path that exists.

    Lists carry the paths of their author's machine ("/SegNet/CamVid/train/a.png").
    """
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in "/.."]
    for start in range(len(parts)):
        path = folder.joinpath(*parts[start:])
        if path.is_file():
            return path
    return None


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:  # a link that leads back
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if _is_folder(entry):
                yield from _walk(Path(entry.path), seen)
            elif entry.name.lower().endswith(SUFFIXES):
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself; reading it will say so
        return False
