"""Data sets on disk -> Samples. One file a format; this folder is the list of them.

A format says what it recognises and how it is opened; `open_data` finds it out by content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fullconv.errors import DataError
from fullconv.registry import Registry
from fullconv.sample import Data


@dataclass(frozen=True)
class Format:
    """One way in which a data set lies on a disk.

    Attributes:
        summary: the layout in one line, for messages and docs.
        open: (what follows "name:", split or None) -> Data.
        recognises: whether a folder has this layout; looks at names, not at pictures.
        fallback: tried only when no other format recognises the folder.
    """

    summary: str
    open: Callable[[str, str | None], Data]
    recognises: Callable[[Path], bool]
    fallback: bool = False


formats: Registry[Format] = Registry("fullconv.formats", "data format")


def open_data(source: str | Path, split: str | None = None) -> Data:
    """Open a data set: a folder, FORMAT:PATH, or scenes:N.

    Args:
        source: "photos", "camvid:data/CamVid", "scenes:200".
        split: "train", "val", "test"; None is all of it.

    Raises:
        DataError: nothing is there, or no format recognises it.
    """
    name, _, rest = str(source).partition(":")
    if rest and name in formats:
        return formats[name].open(rest, split)
    folder = Path(source)
    if not folder.exists():
        raise DataError(
            f"there is no data at {source}; expected a folder with images/, masks/ and "
            "classes.txt, or FORMAT:PATH, or scenes:N for drawn scenes"
        )
    return formats[recognise(folder)].open(str(folder), split)


def recognise(folder: Path) -> str:
    """The name of the format that a folder has.

    Raises:
        DataError: none of the known ones, or more than one.
    """
    found = [name for name in formats if formats[name].recognises(folder)]
    specific = [name for name in found if not formats[name].fallback]
    candidates = specific or found
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise DataError(
            f"{folder} looks like each of {', '.join(candidates)}; say which: "
            f"{candidates[0]}:{folder}"
        )
    known = "; ".join(f"{name}: {formats[name].summary}" for name in formats)
    raise DataError(f"{folder} has none of the known layouts. {known}")
