"""Problems of a data set that are found by the names of its files, and their messages."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from fullconv.data.discovery.files import first_few
from fullconv.errors import DataError

UNION = "*"  # `Problem.split` of what only concerns all splits together
_PLURAL = {"mask-missing": "photos without a mask", "photo-missing": "masks without a photo"}


@dataclass(frozen=True)
class Problem:
    """A fault of a data set that is found without opening the files of a sample.

    The codes of `error` are "mask-missing", "photo-missing", "one-stem-twice", "list-line",
    "empty-split", "labels-refused", "not-readable", "not-read", "unlisted", "list-not-read",
    "unused-folder", "unused-photo", "not-annotated", "labels-missing", "classes-not-read",
    "mixed-folders" and those of Label Studio.

    Attributes:
        error: what was found, what was expected, and the remedy.
        path: the file that it is about.
        split: the split that cannot be used; None if none can, `UNION` if only their union.
        fatal: whether opening the split raises `error`; else the file is left out.
        other: the second of two files.
    """

    error: DataError
    path: Path
    split: str | None = None
    fatal: bool = True
    other: Path | None = None


def mask_missing(image: Path, masks: object, hint: str = "") -> DataError:
    """Return the error of an image without a mask, which is expected in `masks`."""
    return DataError(
        "a photo without a mask",
        expected=f"a mask of the same stem in {masks}",
        remedy=f"add the mask, or remove the photo{hint}",
        where=image,
        code="mask-missing",
    )


def photo_missing(mask: Path, images: object, hint: str = "") -> DataError:
    """Return the error of a mask without an image, which is expected in `images`."""
    return DataError(
        "a mask without a photo",
        expected=f"a photo of the same stem in {images}",
        remedy=f"add the photo, or remove the mask{hint}",
        where=mask,
        code="photo-missing",
    )


def same_name(first: Path, second: Path) -> DataError:
    """Return the error of two files of one stem, or of two images of one sample name."""
    return DataError(
        f"the same sample name as {first}",
        expected="one file per name",
        remedy="rename or remove one of the two",
        where=second,
        code="one-stem-twice",
    )


def summary(problems: Sequence[Problem], folder: Path) -> DataError:
    """Return the error of the first problem, with all others of its kind in `folder`."""
    error = first_problem([problem.error for problem in problems])
    paths = [problem.path for problem in problems if problem.error.code == error.code]
    if len(paths) > 1 and error.code in _PLURAL:
        error.found = f"{len(paths)} {_PLURAL[error.code]}: {first_few(paths)}"
        error.where = str(folder)
    return error


def first_problem(errors: Sequence[DataError]) -> DataError:
    """Return the first error, with the number of others of its kind."""
    error = copy(errors[0])
    more = sum(other.code == error.code for other in errors) - 1
    if more:
        error.found += f" (and {more} more such problems)"
    return error
