"""Say what a folder holds that is not a data set yet, and what is missing."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from fullconv.data.discovery.files import IMAGE_FOLDERS, find_files, find_images
from fullconv.data.discovery.json_keys import top_keys
from fullconv.data.discovery.layout import MASK_FOLDERS
from fullconv.io.images import count_unsupported, describe_unsupported
from fullconv.io.regular import open_regular
from fullconv.io.visible import visible
from fullconv.units import count

_TOOLS = {
    "VGG Image Annotator": {"_via_img_metadata"},
    "VoTT": {"assets", "asset"},
    "Datumaro": {"items"},
    "V7 Darwin": {"item"},
    "Supervisely": {"objects"},
}
"""Labelling tool -> keys of its JSON files."""

_EXPORT = "export the labels as COCO, or as masks in PNG files"


def explain(folder: Path) -> tuple[str, str]:
    """Return what is found in a folder and is no data set, and what to do; "" if nothing is known.

    Looks for pictures whose suffix is not read, photos without masks, masks without photos, photos
    and masks in one folder, and files of labelling tools that are not read.
    """
    photos, masks = _children(folder, IMAGE_FOLDERS), _children(folder, MASK_FOLDERS)
    for place in (*photos, *masks, folder):
        counts = unsupported_in(place)
        if counts and not _number(place):
            found = ", ".join(count(number, f"{suffix} file") for suffix, number in counts.items())
            verb = "is" if sum(counts.values()) == 1 else "are"
            what = f"{place.name}/ holds" if place != folder else "it holds"
            return f"{what} {found}, which {verb} not read", describe_unsupported(counts)
    for tool, path in _tool_files(folder):
        return f"{path.name} is a file of {tool}, which is not read", _EXPORT
    if photos and not masks:
        found = (
            f"{photos[0].name}/ holds {count(_number(photos[0]), 'photo')}, but there are no masks"
        )
        return found, "put the masks into masks/, with the file names of the photos"
    if masks and not photos:
        found = (
            f"{masks[0].name}/ holds {count(_number(masks[0]), 'mask')}, but there are no photos"
        )
        return found, "put the photos into images/, with the file names of the masks"
    if number := sum(path.parent == folder for path in find_images(folder)):
        remedy = "put the photos into images/ and their masks into masks/"
        found = count(number, "picture")
        return f"it holds {found}, and no masks in a folder of their own", remedy
    return "", ""


def unsupported_in(folder: Path) -> dict[str, int]:
    """Count the pictures under a folder whose suffix is not read: suffix -> number."""
    return count_unsupported(find_files(folder, "")) if folder.is_dir() else {}


def _children(folder: Path, names: Sequence[str]) -> list[Path]:
    return [path for path in sorted(visible(folder, "*/")) if path.name.casefold() in names]


def _number(folder: Path) -> int:
    return len(find_images(folder))


def _tool_files(folder: Path) -> Iterable[tuple[str, Path]]:
    for path in islice(find_files(folder, ".json"), 100):
        keys = {"_via_img_metadata"} if path.name.startswith("via_") else top_keys(path).keys()
        tool = next((name for name, own in _TOOLS.items() if own & keys), None)
        tool = tool or ("Label Studio" if _is_label_studio(path) else None)
        if tool:
            yield tool, path


def _is_label_studio(path: Path) -> bool:
    """Return whether a JSON file is a list of Label Studio's tasks."""
    try:
        with open_regular(path) as stream:
            head = stream.read(65536)
    except OSError:
        return False
    own = (b'"annotations"', b'"completions"', b'"annotation_id"', b'"lead_time"')
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and any(key in head for key in own)
