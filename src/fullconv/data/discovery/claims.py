"""Decide whose photo a file is, where the records of several photos lead to it."""

from collections.abc import Sequence
from pathlib import Path

from fullconv.data.discovery.files import inner_parts

Claim = tuple[str, Path | None]


def photos_of_claims(claims: Sequence[Claim]) -> list[Path | None]:
    """Return the photo of each record, without those that another record has the better claim to.

    Leading folders of a path may be left out to find its photo, as they are those of another
    machine. So cam1/0001.jpg and cam2/0001.jpg can lead to one file, 0001.jpg. It is the photo of
    the record whose whole path it has; if it has that of none, it is open which one is meant, and
    both photos are missing.

    Args:
        claims: the path in each record, and the file that was found for it; None if none was.
    """
    names: dict[Path, set[tuple[str, ...]]] = {}
    for name, photo in claims:
        if photo:
            names.setdefault(photo, set()).add(tuple(inner_parts(name)))
    return [
        photo if photo and (len(names[photo]) == 1 or _has_whole_path(photo, name)) else None
        for name, photo in claims
    ]


def _has_whole_path(photo: Path, name: str) -> bool:
    parts = inner_parts(name)
    return [*photo.parts[-len(parts) :]] == parts
