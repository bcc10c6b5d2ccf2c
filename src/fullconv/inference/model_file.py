"""Model files: weights in safetensors, with a card (JSON) in the header.

A file holds everything that predictions depend on, and nothing that depends on time or machine:
equal training gives equal bytes.
"""

import errno
import math
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
from fullconv.errors import WeightsError
from fullconv.inference.runtimes import MODEL_SUFFIX, is_exported, unsupported
from fullconv.inference.tta import SCALES
from fullconv.io.atomic import replacing, staging
from fullconv.io.rasters import BandChoice
from fullconv.io.text import parse_json

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
        WeightsError: the folder has no model file, or the path is no ordinary file.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise WeightsError(f"{path} is a pipe, a socket or a device; expected a model file")
    if not os.path.isdir(path):
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
    if os.path.exists(path) and is_exported(path):
        raise WeightsError(
            f"{path} is an exported file, which has no layers of fullconv; give the .safetensors "
            "file or the run folder that it was exported from"
        )
    if os.path.exists(path) and path.suffix.lower() not in (MODEL_SUFFIX, ""):
        raise WeightsError(
            f"{path}: {unsupported(path)}; weights of other programs are read by "
            "`fullconv train --weights` and `fullconv convert`"
        )
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: there is no such model file") from error
    except ValueError as error:  # of names that no file can have
        raise WeightsError(f"{path}: there is no such model file ({error})") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a .safetensors file ({error})") from error
    if header is None:
        raise WeightsError(
            f"{path}: weights without a model's description; "
            "give them to `fullconv train --weights` or `fullconv convert`"
        )
    try:
        return Card.checked(**parse_json(header))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the network's tensors, without the optimizer's, as float32 (files may be float16).

    Raises:
        WeightsError: the file is damaged, or a weight is not a finite number.
    """
    try:
        with safe_open(path, "pt") as file:
            names = [name for name in file.keys() if not name.startswith(OPTIMIZER)]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: its tensors cannot be read ({error})") from error
    for name, tensor in tensors.items():
        _check_values(path, name, tensor)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def _check_values(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse values with which every prediction would be the same class, or none."""
    if tensor.is_floating_point() and tensor.numel():
        low, high = (float(end) for end in tensor.float().aminmax())
        if not math.isfinite(low) or not math.isfinite(high):
            raise WeightsError(
                f"{path}: {name} has values that are not finite; its training diverged, or the "
                "file is damaged: use an earlier file"
            )
        if name.endswith("running_var") and low < 0:
            raise WeightsError(f"{path}: {name} has a variance below zero; the file is damaged")
    elif not tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
        raise WeightsError(
            f"{path}: {name} holds {str(tensor.dtype).removeprefix('torch.')} instead of "
            "floating-point numbers; save the model again with fullconv"
        )


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
