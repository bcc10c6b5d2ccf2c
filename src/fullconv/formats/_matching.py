"""Which photo of one folder belongs to which mask of another: by their stems."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fullconv.errors import DataError
from fullconv.formats._files import pictures
from fullconv.formats._pairs import Pair, a_few, folded, name_of, named
from fullconv.images import SUFFIXES

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
        doubles: two files of one stem, of which the first is the one in the other lists.
    """

    pairs: tuple[Pair, ...]
    photos: tuple[Path, ...]
    masks: tuple[Path, ...]
    doubles: tuple[tuple[Path, Path], ...]


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
                f"{len(lonely)} of {total} {what}s in {folder} have no {other}: {a_few(lonely)}; "
                f"expected a {other} of the same stem under {there}: add it, or take the {what} out"
                f"{_unread(lonely[0], there)}"
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
                f"{keys[key]} and {path} have one stem, so that it is open which is meant; "
                "rename or remove one"
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
