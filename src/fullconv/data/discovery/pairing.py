"""Match images to masks by file name."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fullconv.data.discovery.files import find_images, fold_name, sample_name
from fullconv.data.sample import Pair
from fullconv.io.images import SUFFIXES
from fullconv.io.visible import visible

# What people append to tell a mask from its photo; longest first, so that all of it is removed.
_IMAGE_TAIL = re.compile(r"[_\-. ](leftimg8bit|image|photo|img|sat|rgbir|rgb|irrg)$")
_MASK_TAIL = re.compile(
    r"[_\-. ](gtfine_labeltrainids|gtfine_labelids|labeltrainids|labelids|segmentation|annotation"
    r"|groundtruth|labels|label|masks|mask|ann|seg|gt|l)$"
)
_IMAGE_HEAD = re.compile(r"^(image|photo|img|sat)[_\-. ](?=.)")
_MASK_HEAD = re.compile(r"^(groundtruth|label|mask|seg|gt)[_\-. ](?=.)")


@dataclass(frozen=True)
class Pairing:
    """The contents of two parallel folders.

    Attributes:
        pairs: sorted by name.
        unmatched_images: images without a mask.
        unmatched_masks: masks without an image.
        duplicates: two files of one stem, of which the first is the one that is used.
    """

    pairs: tuple[Pair, ...] = ()
    unmatched_images: tuple[Path, ...] = ()
    unmatched_masks: tuple[Path, ...] = ()
    duplicates: tuple[tuple[Path, Path], ...] = ()


def pair_folders(images: Path, masks: Path, folder: Path) -> Pairing:
    """Pair the files of two parallel folders by stem.

    Equal stems are matched first, then stems that are equal without the customary prefixes and
    suffixes (`_mask`, `_gt`, `_L`, `image_`, ...). Case does not matter.

    Args:
        images: the folder of the images.
        masks: the folder of the masks.
        folder: what the names of samples are relative to.
    """
    duplicates: list[tuple[Path, Path]] = []
    free_images = _by_key(find_images(images), images, str, duplicates)
    free_masks = _by_key(find_images(masks), masks, str, duplicates)
    both = [key for key in free_images if key in free_masks]
    found = [(free_images.pop(key), free_masks.pop(key)) for key in both]
    bare_images = _by_key(free_images.values(), images, bare_image_stem, duplicates)
    bare_masks = _by_key(free_masks.values(), masks, _bare_mask_stem, duplicates)
    both = [key for key in bare_images if key in bare_masks]
    found += [(bare_images.pop(key), bare_masks.pop(key)) for key in both]
    pairs, same_names = unique(Pair(sample_name(i, folder), i, m) for i, m in found)
    return Pairing(
        tuple(pairs),
        tuple(bare_images.values()),
        tuple(bare_masks.values()),
        (*duplicates, *same_names),
    )


def unique(pairs: Iterable[Pair]) -> tuple[list[Pair], list[tuple[Path, Path]]]:
    """Keep the first pair of each name.

    Returns:
        The pairs, sorted by name, and (image with the name, other image with the same name).
    """
    kept: dict[str, Pair] = {}
    duplicates = []
    for pair in pairs:
        first = kept.setdefault(fold_name(pair.name), pair)
        if first.photo != pair.photo:
            duplicates.append((first.photo, pair.photo))
    return sorted(kept.values(), key=lambda pair: pair.name), duplicates


def bare_image_stem(stem: str) -> str:
    """Return an image's stem without customary additions such as "_image", folded."""
    return _bare(stem, _IMAGE_HEAD, _IMAGE_TAIL)


def other_file(path: Path, folder: Path) -> str:
    """Return a hint at a file with the stem of `path` that is not an image by its suffix, or ""."""
    others = (p for p in sorted(visible(folder, "**/*")) if p.stem == path.stem and p.is_file())
    found = next((p for p in others if p.suffix.lower() not in SUFFIXES), None)
    return f"; found {found}, but only {', '.join(SUFFIXES)} are read" if found else ""


def _bare_mask_stem(stem: str) -> str:
    return _bare(stem, _MASK_HEAD, _MASK_TAIL)


def _bare(stem: str, head: re.Pattern[str], tail: re.Pattern[str]) -> str:
    stem = fold_name(stem)
    return head.sub("", tail.sub("", stem) or stem)


def _by_key(
    paths: Iterable[Path],
    folder: Path,
    stem_key: Callable[[str], str],
    duplicates: list[tuple[Path, Path]],
) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for path in paths:
        inside = path.relative_to(folder)
        key = fold_name((inside.parent / stem_key(inside.stem)).as_posix())
        if key in keys:
            duplicates.append((keys[key], path))
        else:
            keys[key] = path
    return keys
