"""Fingerprints of models and sets of inputs: 16 hexadecimal digits."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fullconv.errors import WeightsError
from fullconv.inference.model_file import model_file
from fullconv.model import Model


def file_fingerprint(path: str | Path) -> str:
    """Return the fingerprint of a model file's bytes, whatever its name.

    Args:
        path: a run folder, a .safetensors file or an exported file.

    Raises:
        WeightsError: there is no such file, or it cannot be read.
    """
    file = model_file(Path(path))
    weights = file.with_suffix(".bin")  # OpenVINO keeps the weights next to its .xml
    files = (file, weights) if file.suffix == ".xml" and weights.is_file() else (file,)
    try:
        return _digest(*((part, part.stat().st_size, part.stat().st_mtime_ns) for part in files))
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=16)
def _digest(*files: tuple[Path, int, int]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:  # size and time are part of the cache's key
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def model_fingerprint(model: Model) -> str:
    """Return the fingerprint of a model's weights, classes, palette and sizes."""
    facts = [model.classes, model.palette, model.size, model.input_scale]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def ids_fingerprint(ids: Iterable[str]) -> str:
    """Return the fingerprint of a set of input ids, in any order."""
    digest = hashlib.sha256()
    for input_id in sorted(ids):
        digest.update(id_bytes(input_id) + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class FileState:
    """What tells whether an input is still the same.

    Attributes:
        bytes: size of the file.
        modified: when it was last changed, in UTC.
    """

    bytes: int
    modified: str


def file_state(path: Path) -> FileState:
    """Return the size of a file, and when it was last changed."""
    status = path.stat()
    return FileState(status.st_size, str(np.datetime64(status.st_mtime_ns, "ns")))


def content_digest(path: Path) -> str:
    """Return the fingerprint of a file's bytes; "" for a pipe, whose opening would block."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def id_bytes(input_id: str) -> bytes:
    """Return an id as bytes: those of its file name, which need not be UTF-8."""
    try:
        return input_id.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, as JSON can escape it
        return input_id.encode("utf-8", "surrogatepass")
