"""Keep files inside their folder: for every name that is read from a file, or made from a name.

The folder itself may be a link. A link inside it is refused, since what is written below it would
be written elsewhere.
"""

import os
import re
from pathlib import Path

from fullconv.errors import DataError


def is_contained(name: object) -> bool:
    """Whether a text is a relative path, with slashes, that cannot leave its folder.

    The same on every system: no "..", no drive letter, no backslash that leads out on Windows.
    """
    if not isinstance(name, str) or "\0" in name or re.match(r"[A-Za-z]:", name):
        return False
    return not {"", ".", ".."} & set(re.split(r"[/\\]", name))


def contained(root: Path, name: str, *, replaced: bool = False) -> Path:
    """Return the path of a file in a folder, after checking that it is inside.

    Args:
        root: the folder; it need not exist, and may be a link.
        name: below it, with slashes.
        replaced: the file is only replaced or removed, which does not follow a link in its place.

    Raises:
        DataError: the name leads out of the folder, or through a link inside it.
    """
    if not is_contained(name):
        raise DataError(
            f"names the file {name!r}",
            "a path inside the folder, without '..'",
            where=root,
        )
    own = os.path.realpath(root)
    *folders, _ = parts = name.split("/")
    path = Path(own, *(folders if replaced else parts))
    if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
        link = _first_link(Path(own), parts)
        raise DataError(
            f"{root / link.relative_to(own)} is a link",
            "a file or folder of its own, since links lead out of the folder",
            "remove the link, or choose another folder",
        )
    return root / name


def _first_link(folder: Path, parts: list[str]) -> Path:
    path = folder
    for part in parts:
        path = path / part
        if os.path.realpath(path) != str(path):
            break
    return path
