"""Tell which JSON files of a folder hold COCO's annotations."""

from pathlib import Path

from fullconv.data.discovery.json_keys import top_keys
from fullconv.io.visible import visible

KINDS = ("instances", "panoptic", "stuff")
_OTHERS = ("captions", "person_keypoints", "image_info")  # COCO's own files without regions
_ROBOFLOW = "_annotations.coco.json"


def find_files(folder: Path) -> list[Path]:
    """Return the JSON files that can hold COCO's annotations, by their names."""
    places = [folder, folder / "annotations"]
    found = [path for place in places for path in sorted(visible(place, "*.json"))]
    found += sorted(visible(folder, f"*/{_ROBOFLOW}"))
    return [path for path in found if not path.name.startswith(_OTHERS)]


def kind_of(path: Path) -> str | None:
    """Return the kind in a file's name, if any."""
    return next((kind for kind in KINDS if path.name.startswith(f"{kind}_")), None)


def looks_like_coco(path: Path) -> bool:
    """Return whether a JSON file is called as COCO's are, or has their keys.

    A single key such as "annotations" is in the files of many tools.
    """
    if kind_of(path) or path.name == _ROBOFLOW:
        return True
    keys = top_keys(path)
    records = [name for name, own in _RECORDS.items() if own <= keys.get(name, frozenset())]
    return bool(records) or len(_RECORDS.keys() & keys.keys()) > 1


def has_coco_key(path: Path) -> bool:
    """Return whether a JSON file has one of COCO's keys at least: it may be a broken one."""
    return bool(_RECORDS.keys() & top_keys(path).keys())


_RECORDS = {
    "images": {"id", "file_name"},
    "annotations": {"image_id"},
    "categories": {"id", "name"},
}
"""COCO's lists, and keys of their records."""
