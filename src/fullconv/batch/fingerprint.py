"""Which model it is: one short word that follows from its file's bytes."""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fullconv.errors import WeightsError
from fullconv.model import Model, model_file


def file_fingerprint(path: str | Path) -> str:
    """One short word for a model's file: equal files have equal ones, wherever they lie.

    Args:
        path: a run folder, a .safetensors file or an exported one.

    Raises:
        WeightsError: there is none, or it cannot be read.
    """
    file = model_file(Path(path))
    weights = file.with_suffix(".bin")  # OpenVINO keeps them beside its .xml
    files = (file, weights) if file.suffix == ".xml" and weights.is_file() else (file,)
    try:
        return _digest(*((part, part.stat().st_size, part.stat().st_mtime_ns) for part in files))
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=16)
def _digest(*files: tuple[Path, int, int]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:  # size and time are there for the cache
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def fingerprint_of(model: Model) -> str:
    """One short word for a model: equal weights and classes have equal ones."""
    digest = hashlib.sha256(json.dumps([model.classes, model.palette]).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def fingerprint(ids: Iterable[str]) -> str:
    """One short word for a set of ids, whatever their order."""
    digest = hashlib.sha256()
    for one in sorted(ids):
        digest.update(one.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:16]
