"""Which of a folder's JSON files are COCO's, and what their names tell."""

import re
from pathlib import Path

from fullconv.formats._splits import split_of

KINDS = ("instances", "panoptic", "stuff")
_OTHERS = ("captions", "person_keypoints", "image_info")  # COCO's own files without regions
_ROBOFLOW = "_annotations.coco.json"


def find_files(folder: Path) -> list[Path]:
    """The JSON files in which COCO's annotations can be, by their names."""
    places = [folder, folder / "annotations"]
    found = [path for place in places for path in sorted(place.glob("*.json"))]
    found += sorted(folder.glob(f"*/{_ROBOFLOW}"))
    return [path for path in found if not path.name.startswith((".", *_OTHERS))]


def kind_of(path: Path) -> str | None:
    """The kind that a file's name tells."""
    return next((kind for kind in KINDS if path.name.startswith(f"{kind}_")), None)


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file begins as COCO's do."""
    if kind_of(path) or path.name == _ROBOFLOW:
        return True
    with path.open("rb") as stream:
        head = stream.read(4096)
    own = (b'"images"', b'"annotations"', b'"categories"', b'"licenses"', b'"file_name"')
    return any(key in head for key in own) and b'"shapes"' not in head


def file_split(path: Path) -> str | None:
    """The split that a file's name tells ("instances_val2017"), or that of its folder."""
    words = [*re.split(r"[_\-. ]", path.stem)[::-1], path.parent.name]
    return next((split for word in words if (split := split_of(word))), None)
