"""Fingerprints of models: 16 hexadecimal digits that follow from their weights."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

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
    except FileNotFoundError as error:
        raise WeightsError(f"{file}: there is no such model file") from error
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
    """Return the fingerprint of all that a model's predictions depend on.

    That is its weights or its exported file, its architecture and normalization, classes, palette
    and sizes, and how it reads images.
    """
    facts: list[Any] = [model.classes, model.palette, model.size, model.input_scale]
    facts += [str(extra) for extra in model.inputs]
    facts += [head.model_dump() for head in model.heads]
    facts.append(repr(model.band_choice))
    if model.exported:
        facts.append(file_fingerprint(model.exported.path))
    else:
        architecture = model.network.architecture
        facts += [model.network.normalization.model_dump(), str(architecture)]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
