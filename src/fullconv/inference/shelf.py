"""Bundled models, by name: `fullconv predict camvid street.jpg`.

Each has a folder in models/ with its file and a model.json that describes it. An installed package
holds the descriptions only; the files are downloaded from the project's release, with a pinned
SHA-256, into the cache.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import Field

from fullconv.config import Settings
from fullconv.errors import WeightsError
from fullconv.io.caches import cache_folder
from fullconv.io.downloads import download
from fullconv.io.text import parse_json, read_utf8

DESCRIPTION = "model.json"
PART = "models"
"""The part of the cache with downloaded models."""
RELEASE: str | None = None
"""Address of the release whose files are NAME-FILE, e.g. camvid-fcn4s-lite2.safetensors."""
_HERE = Path(__file__).resolve()
_CHECKOUT: tuple[Path, ...] = (
    (_HERE.parents[3] / "models",) if _HERE.parents[2].name == "src" else ()
)
_FOLDERS = (*_CHECKOUT, _HERE.parents[1] / "models")  # the latter in an installed package


class Speed(Settings):
    """Milliseconds of one photo, as `fullconv bench` measured them.

    Attributes:
        size: (height, width) of the photo.
        threads: of the processor.
        processor: its name.
        float32: of the fastest engine in float32.
        int8: of the fastest one in int8; None if it was not measured.
    """

    size: tuple[int, int]
    threads: int
    processor: str
    float32: float
    int8: float | None = None


class ShelfModel(Settings):
    """A bundled model; `scripts/model_table.py` derives what follows from its files.

    Attributes:
        name: of its folder.
        title: what it is, in a few words.
        data: what it was trained on.
        licence: what it may be used for, with the licences of data and initial weights.
        reproduce: the command, or where the commands are.
        evaluated: key in its metrics.json.
        note: what its mean IoU needs to be understood.
        file: name of its file.
        network: name of its architecture.
        classes: number of classes.
        bytes: size of the file.
        sha256: of the file.
        mean_iou: in [0, 1].
        images: number of images that it was evaluated on.
        protocol: of the evaluation.
        speed: None if it was not measured.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str
    data: str
    licence: str
    reproduce: str
    evaluated: str
    note: str = ""
    file: str = Field(pattern=r"^[\w-][\w.-]{0,127}$")
    network: str = ""
    classes: int = 0
    bytes: int = 0
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    mean_iou: float = Field(0.0, ge=0, le=1)
    images: int = 0
    protocol: str = ""
    speed: Speed | None = None

    @property
    def cached(self) -> Path:
        """The file in the cache, whether it is there or not."""
        return cache_folder(PART) / self._path

    @property
    def _path(self) -> str:
        return f"{self.name}/{self.file}"

    @property
    def local(self) -> Path | None:
        """The file if it is on this machine: in the checkout, or downloaded."""
        for path in (*(folder / self._path for folder in _FOLDERS), self.cached):
            if path.is_file():
                return path
        return None


@cache
def shelf() -> dict[str, ShelfModel]:
    """Return the bundled models, by name.

    Raises:
        ConfigError: a description cannot be used.
    """
    found = {path.parent.name: path for folder in _FOLDERS[::-1] for path in _descriptions(folder)}
    return {
        name: ShelfModel.checked(name=name, **parse_json(read_utf8(found[name])))
        for name in sorted(found)
    }


def is_shelved(source: str | Path) -> bool:
    """Return whether a text is the name of a bundled model, and no file or folder."""
    return str(source) in shelf() and not os.path.lexists(source)


def shelf_file(name: str) -> Path:
    """Return the file of a bundled model, which is downloaded if it is not here.

    Raises:
        WeightsError: it cannot be downloaded, or is another file than the pinned one.
    """
    model = shelf()[name]
    return model.local or _download(model)


def taken_note(source: str) -> str:
    """Return which model a name stands for; "" if only one thing has it, or none."""
    if source not in shelf():
        return ""
    if os.path.lexists(source):
        kind = "folder" if os.path.isdir(source) else "file"
        return f"{source}: the {kind} of this name, not the model that comes with fullconv"
    model = shelf()[source]
    return f"{source}: {model.title} ({model.network}), which comes with fullconv"


def hidden(source: str | Path) -> str:
    """Return a sentence if a file or folder has the name of a bundled model, else ""."""
    if str(source) not in shelf():
        return ""
    return (
        f" It has the name of a model that comes with fullconv; to use that one, run the command "
        f"in a folder without {source}"
    )


def known_names(source: Path) -> str:
    """Return the bundled models' names, for a message about one without folder and suffix."""
    is_name = not source.suffix and source.name == str(source)
    return f"; the models that come with fullconv: {', '.join(shelf())}" if is_name else ""


def _descriptions(folder: Path) -> Iterator[Path]:
    return folder.glob(f"*/{DESCRIPTION}")


def _download(model: ShelfModel) -> Path:
    """Download the file of a model into the cache.

    Raises:
        WeightsError: there is no release, it cannot be reached, or its file is another one.
    """
    if RELEASE is None:
        raise WeightsError(
            f"the file of the model {model.name} ({model.bytes / 1e6:.1f} MB) is not on this "
            "machine, and fullconv has no release yet to download it from: copy "
            f"models/{model.name}/{model.file} of the source repository here, and give its path"
        )
    download(f"{RELEASE}/{model.name}-{model.file}", model.cached, model.bytes, model.sha256)
    return model.cached


def cached_files() -> str:
    """Return a regular expression of the paths that downloaded models have in their part."""
    return "|".join(re.escape(model._path) for model in shelf().values())
