"""Data sets on disk -> Samples. One file a format; this folder is the list of them.

A format says what it recognises and how it is opened; `open_data` finds it out by content.
`inventory` lists what a data set consists of without decoding a picture, for the checks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fullconv._registry import Registry
from fullconv.data.discovery.inventory import Inventory, opened_inventory
from fullconv.data.discovery.resplit import (
    grouped,
    listed_data,
    own_lists,
    relist,
    sample_groups,
    with_groups,
    without_groups,
)
from fullconv.data.sample import Data
from fullconv.errors import DataError


@dataclass(frozen=True)
class Format:
    """One way in which a data set lies on a disk.

    Attributes:
        summary: the layout in one line, for messages and docs.
        open: (what follows "name:", split or None) -> Data.
        recognises: whether a folder has this layout; looks at names, not at pictures.
        fallback: tried only when no other format recognises the folder.
        lists: whether `open` and `inventory` read the lists in splits/ themselves.
        inventory: what follows "name:" -> its files with their faults, nothing of which is
            raised; None: as `open` gives them, which refuses the first fault.
    """

    summary: str
    open: Callable[[str, str | None], Data]
    recognises: Callable[[Path], bool]
    fallback: bool = False
    lists: bool = False
    inventory: Callable[[str], Inventory] | None = None


formats: Registry[Format] = Registry("fullconv.data.formats", "data format")


def open_data(source: str | Path, split: str | None = None, group_by: str | None = None) -> Data:
    """Open a data set: a folder, FORMAT:PATH, or scenes:N, each with ?group-by=RULE behind it.

    Args:
        source: "photos", "camvid:data/CamVid", "scenes:200", "photos?group-by=clip".
        split: "train", "val", "test"; None is all of it.
        group_by: what stays together when train and val are divided by hash: clip, patient, tile,
            folder, or a regular expression whose first group, or whole match, tells it. Lists and
            folders of train and val do not count then; a test split stays as it is.

    Raises:
        DataError: nothing is there, or no format recognises it.
        NoSplitError: the data set has no such split; any other DataError means that it has one
            which cannot be used.
    """
    text, own = without_groups(str(source))
    name, rest = found_format(text)
    opened = partial(formats[name].open, rest)
    if rule := group_by or own:
        return grouped(with_groups(text, rule), opened, split, rule)
    if lists := _lists(name, rest):
        return listed_data(text, lists, opened, split)
    return opened(split)


def inventory(source: str | Path) -> Inventory:
    """What a data set consists of, split by split, without decoding a picture.

    Faults that a format's own inventory knows (files without a partner, two of one stem, lines of
    lists that mean nothing) are listed in it, not raised.

    Args:
        source: as for `open_data`.

    Raises:
        DataError: nothing is there, no format recognises it, or it cannot be opened at all.
    """
    text, rule = without_groups(str(source))
    name, rest = found_format(text)
    if own := formats[name].inventory:
        stock = own(rest)
    else:
        folder = Path(rest.partition("?")[0])
        stock = opened_inventory(name, folder, partial(formats[name].open, rest))
    if rule:
        stock.regroup(sample_groups(rule))
    elif lists := _lists(name, rest):
        relist(stock, lists)
    return stock


def _lists(name: str, rest: str) -> dict[str, Path]:
    return {} if formats[name].lists else own_lists(Path(rest.partition("?")[0]))


def found_format(source: str) -> tuple[str, str]:
    """The format of a data set, and what is its own to read: path and options.

    Raises:
        DataError: nothing is there, or no format recognises it.
    """
    name, _, rest = source.partition(":")
    if rest and name in formats:
        return name, rest
    folder = Path(source)
    if not folder.exists():
        raise DataError(
            f"there is no data at {source}",
            expected=(
                "a folder with images/, masks/ and classes.txt, or FORMAT:PATH, or scenes:N for "
                "drawn scenes"
            ),
        )
    return recognise(folder), str(folder)


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
            f"{folder} looks like each of {', '.join(candidates)}",
            remedy=f"say which: {candidates[0]}:{folder}",
        )
    raise _unknown(folder)


def _unknown(folder: Path) -> DataError:
    if not folder.is_dir():
        expected = f"a folder, or FORMAT:PATH, e.g. coco:{folder}"
        return DataError(f"{folder} is a file", expected=expected)
    inside = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "")
    below = [
        f"{name}:{path}"
        for path in sorted(folder.iterdir())
        for name in formats
        if path.is_dir() and formats[name].recognises(path)
    ]
    return DataError(
        f"{folder} holds {shown or 'nothing'}, which is not a known layout",
        expected=(
            "images/ and masks/ with one mask per image and classes.txt, or FORMAT:PATH with one "
            f"of the formats {', '.join(formats)}"
        ),
        remedy=f"did you mean {below[0]}?" if below else "",
    )
