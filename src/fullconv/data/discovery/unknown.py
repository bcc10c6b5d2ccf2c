"""Say what a folder holds that is not a data set yet, and what is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fullconv.data.discovery.files import IMAGE_FOLDERS, find_files, find_images
from fullconv.data.discovery.json_keys import top_keys
from fullconv.data.discovery.layout import MASK_FOLDERS
from fullconv.data.discovery.list_files import folder_split
from fullconv.io.images import count_unsupported, describe_unsupported
from fullconv.io.regular import open_regular
from fullconv.io.visible import RESULTS, has_results, visible
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


@dataclass(frozen=True)
class Explanation:
    """What a folder holds that is no data set.

    Attributes:
        found: one clause; "" if nothing is known.
        remedy: what to do; "" if nothing is known.
        certain: whether no other layout can be meant.
    """

    found: str = ""
    remedy: str = ""
    certain: bool = True


def explain(folder: Path) -> Explanation:
    """Return what is found in a folder and is no data set, and what to do.

    Looks for folders that are left out since fullconv wrote them, pictures whose suffix is not
    read, empty folders, photos without masks, masks without photos, photos and masks in one folder,
    and files of labelling tools that are not read.
    """
    for place in filter(has_results, _children(folder, IMAGE_FOLDERS + MASK_FOLDERS, results=True)):
        name = _name(place, folder)
        return Explanation(
            f"{name} is left out, since it holds {RESULTS}, the mark of results of fullconv",
            f"remove {name}{RESULTS} if it is part of the data set",
        )
    photos, masks = _children(folder, IMAGE_FOLDERS), _children(folder, MASK_FOLDERS)
    for place in (*photos, *masks, folder):
        counts = unsupported_in(place)
        if counts and not _number(place):
            found = ", ".join(count(number, f"{suffix} file") for suffix, number in counts.items())
            verb = "is" if sum(counts.values()) == 1 else "are"
            what = f"{_name(place, folder)} holds" if place != folder else "it holds"
            return Explanation(
                f"{what} {found}, which {verb} not read", describe_unsupported(counts)
            )
    for tool, path in _tool_files(folder):
        return Explanation(f"{path.name} is a file of {tool}, which is not read", _EXPORT)
    if photos or masks:
        return _explain_folders(folder, photos, masks)
    if number := sum(path.parent == folder for path in find_images(folder)):
        remedy = "put the photos into images/ and their masks into masks/"
        found = count(number, "picture")
        return Explanation(f"it holds {found}, and no masks in a folder of their own", remedy)
    return Explanation()


def _explain_folders(folder: Path, photos: Sequence[Path], masks: Sequence[Path]) -> Explanation:
    """Return what folders of photos and of masks hold, of which one kind may be missing."""
    images, labels = sum(map(_number, photos)), sum(map(_number, masks))
    if images and labels:
        return Explanation()
    if images:
        lack = _without_pictures(folder, masks) or "there are no masks"
        found = f"{_name(photos[0], folder)} holds {count(images, 'photo')}, but {lack}"
        place = _name(masks[0], folder) if masks else "masks/"
        return Explanation(found, f"put the masks into {place}, with the file names of the photos")
    if labels:
        lack = _without_pictures(folder, photos) or "there are no photos"
        found = f"{_name(masks[0], folder)} holds {count(labels, 'mask')}, but {lack}"
        place = _name(photos[0], folder) if photos else "images/"
        return Explanation(found, f"put the photos into {place}, with the file names of the masks")
    first = _name(photos[0], folder) if photos else "images/"
    second = _name(masks[0], folder) if masks else "masks/"
    remedy = f"put the photos into {first} and their masks, with the same file names, into {second}"
    return Explanation(_without_pictures(folder, [*photos, *masks]), remedy, certain=False)


def _without_pictures(folder: Path, places: Sequence[Path]) -> str:
    """Return that folders are empty, or hold other files than pictures only; "" for no folder."""
    names = " and ".join(_name(place, folder) for place in places)
    if any(next(find_files(place, ""), None) for place in places):
        return f"{names} {'holds' if len(places) == 1 else 'hold'} no picture"
    return f"{names} {'is' if len(places) == 1 else 'are'} empty" if places else ""


def _name(place: Path, folder: Path) -> str:
    return f"{place.relative_to(folder).as_posix()}/"


def unsupported_in(folder: Path) -> dict[str, int]:
    """Count the pictures under a folder whose suffix is not read: suffix -> number."""
    return count_unsupported(find_files(folder, "")) if folder.is_dir() else {}


def _children(folder: Path, names: Sequence[str], results: bool = False) -> list[Path]:
    """Return the folders of these names in a folder, and in those of its splits."""
    inside = sorted(visible(folder, "*/", results=results))
    inside += [
        path
        for one in inside
        if folder_split(one.name)
        for path in sorted(visible(one, "*/", results=results))
    ]
    return [path for path in inside if path.name.casefold() in names]


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
