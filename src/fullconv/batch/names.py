"""Names of output files: unique per input, valid on every file system."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from fullconv.batch.inputs import Input
from fullconv.batch.writers import writers
from fullconv.io.storage import is_url

MAX_BYTES = 150
"""Length of a name; file systems allow 255, and suffixes and temporary files need some of it."""


def assign_names(inputs: Sequence[Input], known: Mapping[str, str] | None = None) -> list[Input]:
    """Return the inputs, each with a unique name for its output files.

    The name is the stem; where stems repeat, folder and suffix are added.

    Args:
        inputs: the inputs of all shards: a name depends on all the others.
        known: id -> name of inputs that have output files already.
    """
    known = known or {}
    stems = Counter(_stem(item).casefold() for item in inputs)
    taken = {name.casefold() for name in known.values()}
    named = []
    for item in inputs:
        name = known.get(item.id)
        if name is None:
            name = _stem(item)
            if stems[name.casefold()] > 1:
                path = _path(item)
                name = _sanitize("__".join((*path.parts[-2:-1], path.name.replace(".", "_"))))
            base, number = name, 2
            while name.casefold() in taken:
                name, number = f"{base}-{number}", number + 1
            taken.add(name.casefold())
        named.append(replace(item, name=name))
    return named


def output_files(item: Input, kinds: Sequence[str]) -> dict[str, str]:
    """Return an input's output files: kind -> path below the output folder.

    A raster has labels and areas, and polygons if `kinds` has geojson; a video has one video.
    """
    name = item.name
    if item.medium == "video":
        return {"video": f"video/{name}.mp4"}
    if item.medium == "raster":
        polygons = {"geojson": f"geojson/{name}.geojson"} if "geojson" in kinds else {}
        return {"labels": f"labels/{name}.tif", "areas": f"areas/{name}.csv", **polygons}
    return {kind: f"{kind}/{name}{writers[kind].suffix}" for kind in kinds}


def _path(item: Input) -> PurePath:
    if is_url(item.where):
        return PurePosixPath(unquote(urlsplit(item.where).path))
    return PurePath(item.where)


def _stem(item: Input) -> str:
    return _sanitize(_path(item).stem)


def _sanitize(name: str) -> str:
    name = re.sub(r"[\x00-\x1f/\\]", "_", name).lstrip(".") or "photo"
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: MAX_BYTES - 9].decode("utf-8", "ignore") + f"-{digest}"
