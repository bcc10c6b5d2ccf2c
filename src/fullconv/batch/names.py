"""Names of output files: unique per input, valid on every file system."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from fullconv.batch.fingerprint import id_bytes
from fullconv.batch.inputs import Input
from fullconv.batch.writers import writers
from fullconv.io.storage import is_url

MAX_BYTES = 150
"""Length of a name; file systems allow 255, and suffixes and temporary files need some of it."""

# Separators, control characters, what Windows forbids, and surrogates that encode no byte.
_FORBIDDEN = re.compile('[\x00-\x1f\x7f-\x9f/\\\\<>:"|?*\ud800-\udbff\udc00-\udc7f\udd00-\udfff]')
_RESERVED = re.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)  # devices of Windows


def assign_names(inputs: Sequence[Input], known: Mapping[str, str] | None = None) -> list[Input]:
    """Return the inputs, each with a unique name for its output files.

    The name is the stem; where stems repeat, folder and suffix are added; where these repeat too,
    or the name is taken, a hash of the id. Apart from `known`, a name depends on the inputs alone,
    so that shards which run at the same time never choose the same name.

    Args:
        inputs: the inputs of all shards: a name depends on all the others.
        known: id -> name of inputs that have output files already, in any shard.
    """
    known = known or {}
    stems = _counts(map(_stem, inputs))
    wanted = [
        _stem(item) if stems[_compared(_stem(item))] == 1 else _long_name(item) for item in inputs
    ]
    repeated = _counts(wanted)
    taken = {_compared(name) for name in known.values()}
    named = []
    for item, name in zip(inputs, wanted, strict=True):
        if item.id in known:
            named.append(replace(item, name=known[item.id]))
            continue
        if repeated[_compared(name)] > 1 or _compared(name) in taken:
            name = f"{name}-{hashlib.sha256(id_bytes(item.id)).hexdigest()[:8]}"
        base, number = name, 2
        while _compared(name) in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(_compared(name))
        named.append(replace(item, name=name))
    return named


def output_files(item: Input, kinds: Sequence[str], heads: Sequence[str] = ()) -> dict[str, str]:
    """Return an input's output files: kind -> path below the output folder.

    A raster has labels and areas, and polygons if `kinds` has geojson; a video has one video. Each
    of several heads has a folder, which is a part of the kind: "geometric/labels".
    """
    name = item.name
    if item.medium == "video":
        return {"video": f"video/{name}.mp4"}
    if item.medium == "raster":
        polygons = {"geojson": f"geojson/{name}.geojson"} if "geojson" in kinds else {}
        return {"labels": f"labels/{name}.tif", "areas": f"areas/{name}.csv", **polygons}
    return {
        f"{folder}{kind}": f"{folder}{kind}/{name}{writers[kind].suffix}"
        for folder in ([f"{head}/" for head in heads] or [""])
        for kind in kinds
    }


def _path(item: Input) -> PurePath:
    if is_url(item.where):
        return PurePosixPath(unquote(urlsplit(item.where).path))
    return PurePath(item.where)


def _stem(item: Input) -> str:
    return sanitize(_path(item).stem)


def _long_name(item: Input) -> str:
    """Return folder, stem and suffix as one name."""
    path = _path(item)
    return sanitize("__".join((*path.parts[-2:-1], path.name.replace(".", "_"))))


def _counts(names: Iterable[str]) -> Counter[str]:
    return Counter(map(_compared, names))


def _compared(name: str) -> str:
    """Return what two names have in common if a file system may take them for the same file."""
    return unicodedata.normalize("NFC", name).casefold()


def sanitize(name: str) -> str:
    """Return a name that is a file name on every system, and never hidden or another folder's."""
    name = _FORBIDDEN.sub("_", name).lstrip(".") or "photo"
    if _RESERVED.fullmatch(name.partition(".")[0].strip()):
        name = f"_{name}"
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: MAX_BYTES - 9].decode("utf-8", "ignore") + f"-{digest}"
