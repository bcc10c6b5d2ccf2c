"""Model files: weights in safetensors, with a card (JSON) in the header.

A file holds everything that predictions depend on, and nothing that depends on time or machine:
equal training gives equal bytes.
"""

import errno
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fullconv.config import Architecture, Normalization, Settings, Size
from fullconv.errors import ConfigError, WeightsError
from fullconv.inference.runtimes import MODEL_SUFFIX, unsupported
from fullconv.inference.tta import SCALES
from fullconv.io.atomic import replacing, staging
from fullconv.io.rasters import BandChoice

HEADER = "fullconv"  # metadata key of the card
OPTIMIZER = "optimizer."  # prefix of a checkpoint's optimizer tensors


class Card(Settings):
    """The header of a model file: everything besides the weights that predictions depend on."""

    format: int = Field(1, ge=1, le=1)
    classes: tuple[str, ...] = Field(min_length=1, max_length=255)
    palette: tuple[tuple[int, int, int], ...] = Field(max_length=255)
    architecture: Architecture
    normalization: Normalization
    size: Size | None = None
    tta_scales: tuple[float, ...] = Field(SCALES, max_length=16)
    band_choice: BandChoice | None = None
    training: dict[str, Any] = Field(default_factory=dict)


def model_file(path: Path) -> Path:
    """Return a run folder's best.safetensors, else its last.safetensors; a file is returned as is.

    Raises:
        WeightsError: the folder has no model file.
    """
    if not path.is_dir():
        return path
    for name in ("best.safetensors", "last.safetensors"):
        if (path / name).is_file():
            return path / name
    raise WeightsError(f"{path} holds no best.safetensors or last.safetensors; is it a run folder?")


def read_card(path: Path) -> Card:
    """Read the header of a .safetensors model file.

    Raises:
        WeightsError: the file is missing or damaged, is not a model file, or has another format.
    """
    if path.exists() and path.suffix.lower() not in (MODEL_SUFFIX, ""):
        raise WeightsError(
            f"{path}: {unsupported(path)}. Weights of other programs are read by "
            "`fullconv train --weights` and `fullconv convert`"
        )
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: there is no such model file") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a .safetensors file ({error})") from error
    if header is None:
        raise WeightsError(
            f"{path}: weights without a model's description; "
            "give them to `fullconv train --weights` or `fullconv convert`"
        )
    try:
        return Card.checked(**json.loads(header))
    except (ConfigError, json.JSONDecodeError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the network's tensors, without the optimizer's, as float32 (files may be float16)."""
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if not name.startswith(OPTIMIZER)]  # noqa: SIM118
        tensors = {name: file.get_tensor(name) for name in names}
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def write_file(path: Path, card: Card, tensors: Mapping[str, Tensor]) -> None:
    """Write a model file atomically.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    header = card.model_dump_json()
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    size = sum(tensor.nbytes for tensor in contiguous.values()) + len(header)
    # safetensors writes a temporary file of its own, which a kill leaves.
    with replacing(path, size) as temporary, staging(path) as folder:
        try:
            save_file(contiguous, folder / "model", {HEADER: header})
        except SafetensorError as error:
            raise _system_error(error) from error
        os.replace(folder / "model", temporary)


def _system_error(error: SafetensorError) -> OSError:
    """Return the system's error, whose number safetensors gives as text: "... (os error 28)"."""
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number) if found else str(error))
