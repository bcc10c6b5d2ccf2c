"""Where the predictions of teachers are: a folder of the cache for each, with a file per photo."""

import hashlib
import json
import re
from pathlib import Path

from fullconv.io.caches import cache_folder

PART = "teachers"
"""The part of the cache."""

_KEY_DIGITS = 16
_NUMBER_DIGITS = 6  # at least
_FOLDER = f"[0-9a-f]{{{_KEY_DIGITS}}}"

FILES = rf"{_FOLDER}/\d{{{_NUMBER_DIGITS},}}\.z"
"""A regular expression of the files' paths in that part."""


def teacher_folder(facts: object) -> Path:
    """Return the folder of a teacher's predictions.

    Args:
        facts: everything that they depend on, as JSON.

    Raises:
        OutputError: this user has no home folder.
    """
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return cache_folder(PART, digest[:_KEY_DIGITS])


def prediction_file(folder: Path, index: int) -> Path:
    """Return the file of the photo with this number, from 0, in the folder of a teacher."""
    return folder / f"{index:0{_NUMBER_DIGITS}d}.z"


def teacher_folders(part: Path) -> list[Path]:
    """Return the folders of teachers in the part of the cache; other things there are not named."""
    return [path for path in part.iterdir() if re.fullmatch(_FOLDER, path.name)]
