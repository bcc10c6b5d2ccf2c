"""Open data sets on disk. Each format is one file, which registers itself.

A format recognises its folders and scans them: `scan` lists the samples and every problem without
decoding an image. `open_data` raises the first problem; the data check reports all of them.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv._registry import Registry
from fullconv.data.discovery.division import complete, regroup, relist
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.opening import open_split
from fullconv.data.discovery.resplit import own_lists, sample_groups, with_groups, without_groups
from fullconv.data.discovery.unknown import explain
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.visible import visible


@dataclass(frozen=True)
class Format:
    """One layout of a data set on disk.

    Attributes:
        summary: the layout in one line, for messages and docs.
        scan: what follows "name:" -> samples and problems; raises only if there is no data set of
            this format.
        recognises: whether a folder has this layout; looks at names, not at images.
        fallback: tried only if no other format recognises the folder.
        lists: whether `scan` reads the lists in splits/ itself.
        open: (what follows "name:", split or None) -> Data, for formats whose samples are too many
            to list; None: `scan` lists them.
        located: whether what follows "name:" is a path of the user's.
    """

    summary: str
    scan: Callable[[str], Inventory]
    recognises: Callable[[Path], bool]
    fallback: bool = False
    lists: bool = False
    open: Callable[[str, str | None], Data] | None = None
    located: bool = True


formats: Registry[Format] = Registry("fullconv.data.formats", "data format")


def open_data(source: str | Path, split: str | None = None, group_by: str | None = None) -> Data:
    """Open a data set: a folder, FORMAT:PATH, or scenes:N, each optionally with ?group-by=RULE.

    Args:
        source: "photos", "camvid:data/CamVid", "scenes:200", "photos?group-by=clip".
        split: "train", "val", "test"; None is all of it.
        group_by: keeps groups together when train and val are divided by hash: clip, patient, tile,
            folder, or a regular expression whose first group, or whole match, is the name of the
            group. Lists and folders of train and val are ignored then; a test split stays as it is.

    Raises:
        DataError: there is no data set, no format recognises it, or the split cannot be used.
        NoSplitError: the data set has no such split.
    """
    text, own = without_groups(str(source))
    rule = group_by or own
    name, rest = detect_format(text)
    if (direct := formats[name].open) and not rule:
        return direct(rest, split)
    found = _scan(name, rest, rule)
    return open_split(found, with_groups(text, rule) if rule else rest, split)


def inventory(source: str | Path) -> Inventory:
    """List the samples of a data set and its problems, without decoding an image.

    Args:
        source: as for `open_data`.

    Raises:
        DataError: there is no data set, no format recognises it, or it cannot be opened at all.
    """
    text, rule = without_groups(str(source))
    return _scan(*detect_format(text), rule)


def detect_format(source: str) -> tuple[str, str]:
    """Return the format of a data set, and its own part of the source: path and options.

    Raises:
        DataError: there is no data set, or no format recognises it.
    """
    name, _, rest = source.partition(":")
    if rest and name in formats:
        return name, rest
    folder = Path(source)
    if not os.path.exists(folder):
        raise DataError(
            f"there is no data at {source}",
            expected=(
                "a folder with images/, masks/ and classes.txt, or FORMAT:PATH, or scenes:N for "
                "drawn scenes"
            ),
        )
    return recognise(folder), str(folder)


def _scan(name: str, rest: str, rule: str | None) -> Inventory:
    try:
        found = formats[name].scan(rest)
    except OSError as error:  # a name that is too long, or a folder without permission
        place = error.filename or rest
        raise DataError(f"cannot be read ({error.strerror or error})", where=place) from error
    if rule:
        regroup(found, rule, sample_groups(rule))
        return found
    form = formats[name]
    if form.located and not form.lists and (lists := own_lists(_folder_of(rest))):
        relist(found, lists)
    complete(found)
    return found


def _folder_of(rest: str) -> Path:
    """Return the folder of a source; a name may hold a question mark, which begins options too."""
    return Path(rest if os.path.exists(rest) else rest.partition("?")[0])


def recognise(folder: Path) -> str:
    """Return the name of the format of a folder.

    Raises:
        DataError: no format recognises it, or more than one.
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
    inside = sorted(path.name for path in visible(folder))
    shown = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "")
    below = [
        f"{name}:{path}"
        for path in sorted(visible(folder, "*/"))
        for name in formats
        if formats[name].recognises(path)
    ]
    known = explain(folder)
    found, remedy = known.found, known.remedy
    if below:
        found, remedy = "", f"did you mean {below[0]}?"
    if (folders := len({source.partition(":")[2] for source in below})) > 1:
        found = f"{folders} of its folders have images and masks of their own"
        remedy = (
            "collect all photos in one images/ and their masks in one masks/, where the one mask "
            f"of a photo holds all of its objects; or give one of the folders, e.g. {below[0]}"
        )
    likely = [] if below or (found and known.certain) else _similar(inside)
    near = [f"{name} ({formats[name].summary})" for name in likely]
    return DataError(
        f"{folder} holds {shown or 'nothing'}, which is not a known layout"
        + (f": {found}" if found else ""),
        expected="images/ and masks/ with one mask per image and classes.txt"
        + (f", or {'; '.join(near)}" if near else ", or another layout of docs/data.md"),
        remedy=remedy,
    )


def _similar(inside: Sequence[str]) -> list[str]:
    """Return the formats whose layouts have most names in common with a folder's."""
    own = {name.casefold() for name in inside}
    shared = {
        name: len(own & {word.casefold() for word in re.findall(r"[\w.]+", formats[name].summary)})
        for name in formats
        if not formats[name].fallback
    }
    ranked = sorted((name for name in shared if shared[name]), key=lambda name: -shared[name])
    return ranked[:2]
