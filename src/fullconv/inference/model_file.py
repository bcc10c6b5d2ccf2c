"""Model files: weights in safetensors, with a card (JSON) in the header.

A file holds everything that predictions depend on, and nothing that depends on time or machine:
equal training gives equal bytes.
"""

import errno
import math
import os
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from safetensors import SafetensorError, safe_open

from fullconv.config import (
    Architecture,
    Colors,
    Factor,
    Head,
    Normalization,
    Settings,
    Size,
)
from fullconv.config.network import MAX_CLASSES
from fullconv.errors import WeightsError
from fullconv.inference.hub import hub_file, is_hub
from fullconv.inference.runtimes import MODEL_SUFFIX, is_exported, runtimes, unsupported
from fullconv.inference.shelf import hidden, is_shelved, known_names, shelf_file
from fullconv.inference.tta_scales import SCALES
from fullconv.io.atomic import replacing, staging
from fullconv.io.images import ExtraInput, channels_of
from fullconv.io.rasters import BandChoice
from fullconv.io.text import parse_json

if TYPE_CHECKING:
    from torch import Tensor

OTHER_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".pdparams", ".caffemodel", ".h5")
"""Of models and weights of other programs."""

BEST, LAST = "best.safetensors", "last.safetensors"  # the checkpoints in a run folder
HEADER = "fullconv"  # metadata key of the card
OPTIMIZER = "optimizer."  # prefix of a checkpoint's optimizer tensors
_CHECKSUM = re.compile(r',\s*"checksum":\s*"([0-9a-f]{16})"\s*\}$')


class Card(Settings):
    """The header of a model file: everything besides the weights that predictions depend on."""

    format: int = Field(1, ge=1, le=1)
    classes: tuple[str, ...] = Field(min_length=1, max_length=MAX_CLASSES)
    palette: Colors = Field(max_length=MAX_CLASSES)
    architecture: Architecture
    normalization: Normalization
    size: Size | None = None
    input_scale: Factor = 1.0
    tta_scales: tuple[float, ...] = Field(SCALES, max_length=16)
    band_choice: BandChoice | None = None
    inputs: tuple[ExtraInput, ...] = Field((), max_length=16)
    heads: tuple[Head, ...] = Field((), max_length=16)
    training: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        channels = self.architecture.channels
        given = {"mean and std": len(self.normalization.mean)}
        given |= {"inputs": channels_of(self.inputs)} if self.inputs else {}
        for what, count in given.items():
            if count != channels:
                raise ValueError(f"{what} of {count} channels for an image of {channels}")
        return self

    @model_serializer(mode="wrap")
    def _without_later_settings(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what no model of photos and one head has: such files keep their bytes."""
        values: dict[str, Any] = write(self)
        return {key: v for key, v in values.items() if v or key not in ("inputs", "heads")}


def is_path(model: str) -> bool:
    """Whether a MODEL is a model, also a missing file or folder, and not the name of a network."""
    known = {MODEL_SUFFIX, *OTHER_SUFFIXES, *(runtimes[name].suffix for name in runtimes)}
    named = os.path.lexists(model) or "/" in model or Path(model).suffix.lower() in known
    return named or is_shelved(model)


def model_file(path: Path) -> Path:
    """Return a run folder's best checkpoint, else its last one; a file is returned as is.

    An address on Hugging Face's hub (hf://USER/REPOSITORY@REVISION) gives the downloaded file; the
    name of a bundled model, such as camvid, its file, unless a file or folder here has
    that name.

    Raises:
        WeightsError: the folder has no model file, the path is no ordinary file, or the hub
            cannot be reached.
    """
    if is_hub(path):
        return hub_file(path)
    if is_shelved(path):
        return shelf_file(str(path))
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise WeightsError(f"{path} is a pipe, a socket or a device; expected a model file")
    if not os.path.isdir(path):
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            return path / name
    raise WeightsError(f"{path} holds no {BEST} or {LAST}; is it a run folder?{hidden(path)}")


def read_card(path: Path) -> Card:
    """Read the header of a .safetensors model file.

    Raises:
        WeightsError: the file is missing or damaged, is not a model file, or has another format.
    """
    header, _ = _read_header(path)
    try:
        return Card.checked(**parse_json(header))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Read the network's tensors, without the optimizer's, as float32 (files may be float16).

    Raises:
        WeightsError: the file is damaged, or a weight is not a finite number.
    """
    tensors = read_all_tensors(path, lambda name: not name.startswith(OPTIMIZER), strict=False)
    for name, tensor in tensors.items():
        _check_values(path, name, tensor)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def read_all_tensors(
    path: Path, wanted: Callable[[str], bool] = lambda name: True, strict: bool = True
) -> "dict[str, Tensor]":
    """Read the tensors of a model file, optimizer's included, and compare the file's checksum.

    Args:
        path: the file.
        wanted: whether to return the tensor of a name.
        strict: whether a file with other tensors or types than it was written with is damaged;
            otherwise another program may have rewritten it, e.g. in float16.

    Raises:
        WeightsError: the file is damaged.
    """
    header, stored = _read_header(path)
    found, tensors = _Checksum(header), {}
    try:
        with safe_open(path, "pt") as file:
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name)
                found.add(name, tensor)
                if wanted(name):
                    tensors[name] = tensor
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: its tensors cannot be read ({error})") from error
    rewritten = not strict and stored[: len(found.layout)] != found.layout
    if stored and stored != found.text and not rewritten:
        raise WeightsError(
            f"{path} is damaged: its content does not match its checksum; restore it from a copy, "
            "or use another model file"
        )
    return tensors


def _check_values(path: Path, name: str, tensor: "Tensor") -> None:
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


def write_file(
    path: Path, card: Card, tensors: "Mapping[str, Tensor]", previous: Path | None = None
) -> None:
    """Write a model file atomically, with a checksum of all that it holds.

    Args:
        path: the file.
        card: its description.
        tensors: by name.
        previous: where the file that is replaced is kept; None does not keep it.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    from safetensors.torch import save_file  # imports PyTorch, which exported files do without

    header = card.model_dump_json()
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    checksum = _Checksum(header)
    for name in sorted(contiguous):
        checksum.add(name, contiguous[name])
    # Within the card: safetensors writes several metadata keys in a random order.
    header = f'{header[:-1]},"checksum":"{checksum.text}"}}'
    size = sum(tensor.nbytes for tensor in contiguous.values()) + len(header)
    # safetensors writes a temporary file of its own, which a kill leaves.
    with replacing(path, size, previous) as temporary, staging(path) as folder:
        try:
            save_file(contiguous, folder / "model", {HEADER: header})
        except SafetensorError as error:
            raise _system_error(error) from error
        os.replace(folder / "model", temporary)


class _Checksum:
    """The checksum of a model file: of its tensors' names, types and shapes, then of all it holds.

    A CRC finds damage, not deceit, and is fast: about 1 s for 2 GB.
    """

    def __init__(self, header: str) -> None:
        self._layout, self._content = 0, zlib.crc32(header.encode())

    def add(self, name: str, tensor: "Tensor") -> None:
        """Include the next tensor."""
        import torch

        facts = f"{name} {tensor.dtype} {tuple(tensor.shape)};"
        self._layout = zlib.crc32(facts.encode(), self._layout)
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        self._content = zlib.crc32(content.data, self._content)

    @property
    def layout(self) -> str:
        """The first part."""
        return f"{self._layout:08x}"

    @property
    def text(self) -> str:
        """Both parts, in hexadecimal."""
        return f"{self.layout}{self._content:08x}"


def _read_header(path: Path) -> tuple[str, str]:
    """Return the card as text, and the checksum; "" in files of earlier versions."""
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
        raise WeightsError(f"{path}: there is no such model file{known_names(path)}") from error
    except ValueError as error:  # of names that no file can have
        raise WeightsError(f"{path}: there is no such model file ({error})") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a .safetensors file ({error})") from error
    if header is None:
        raise WeightsError(
            f"{path}: weights without a model's description; "
            "give them to `fullconv train --weights` or `fullconv convert`"
        )
    found = _CHECKSUM.search(header)
    return (header[: found.start()] + "}", found[1]) if found else (header, "")


def _system_error(error: SafetensorError) -> OSError:
    """Return the system's error, whose number safetensors gives as text: "... (os error 28)"."""
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number) if found else str(error))
