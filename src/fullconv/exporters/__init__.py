"""Networks for other runtimes. One file a kind of file; this folder is the list of them.

A member writes a network into its kind of file and opens it again, so that the very file that is
handed on is what has been compared with the network (see `fullconv.exported`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field
from torch import nn

from fullconv.config import Architecture, Normalisation, Settings, Size
from fullconv.errors import ConfigError
from fullconv.registry import Registry

KEY = "fullconv"  # under which a file keeps its description
Images = Sequence[Float[np.ndarray, "1 3 _ _"]]
Run = Callable[[Float[np.ndarray, "B 3 H W"]], Float[np.ndarray, "B K H W"]]


class Parity(Settings):
    """How far an exported file's scores were from the network's, on the user's images.

    Attributes:
        sizes: (height, width) of the images compared.
        difference: the largest of all scores, relative to the image's largest score.
        flips: share of the pixels whose label differs, in [0, 1].
    """

    sizes: tuple[Size, ...]
    difference: float = Field(ge=0)
    flips: float = Field(ge=0, le=1)


class Loss(Settings):
    """What int8 cost on the user's data: IU of each class, in [0, 1]; None where it is absent.

    Attributes:
        data: what it was measured on.
        images: how many.
        before: IU of each class with the network.
        after: with the int8 file.
        mean_before: mean IU with the network.
        mean_after: with the int8 file.
        agreement: share of the pixels with the same label, in [0, 1].
    """

    data: str
    images: int = Field(ge=1)
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    mean_before: float
    mean_after: float
    agreement: float


class Description(Settings):
    """What stands in an exported file: all that its answers mean, and the proof."""

    format: int = Field(1, ge=1, le=1)
    fullconv: str  # the version that wrote it
    precision: Literal["fp32", "int8"] = "fp32"
    classes: tuple[str, ...] = Field(min_length=1, max_length=255)
    palette: tuple[tuple[int, int, int], ...] = Field(max_length=255)
    size: Size | None = None  # photos are scaled down to fit into it
    protocol: str
    input: str = "image: float32 (B, 3, H, W), RGB in [0, 255]; normalisation is inside"
    output: str = "score: float32 (B, K, H, W), before softmax"
    architecture: Architecture | None = None
    normalisation: Normalisation
    least: Size = (1, 1)  # of an image
    fixed: Size | None = None  # of all images, one at a time; None is any size
    parity: Parity | None = None
    loss: Loss | None = None


@dataclass(frozen=True)
class Opened:
    """An exported file, ready to run.

    Attributes:
        run: images (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W); from any thread.
        description: the JSON that was written into it, or None.
    """

    run: Run
    description: str | None


@dataclass(frozen=True)
class Exporter:
    """One kind of file that other runtimes take.

    Attributes:
        suffix: of its files, e.g. ".onnx".
        summary: what runs it, for messages.
        write: (network, path, size or None for any) -> None; writes the path, and what belongs to
            it beside it.
        stamp: (path, description as JSON) -> None; completes a file just written.
        open: path -> Opened.
        quantize: (path, path to write, normalised batches of images) -> None: the same in int8
            after watching these images; None where there is no such thing.
        companions: suffixes of the files that belong beside it.
    """

    suffix: str
    summary: str
    write: Callable[[nn.Module, Path, Size | None], None]
    stamp: Callable[[Path, str], None]
    open: Callable[[Path], Opened]
    quantize: Callable[[Path, Path, Images], None] | None = None
    companions: tuple[str, ...] = ()


exporters: Registry[Exporter] = Registry("fullconv.exporters", "exporter")


def exporter_for(path: Path) -> Exporter:
    """The exporter that a file's suffix stands for.

    Raises:
        ConfigError: none; the message lists the suffixes.
    """
    for name in exporters:
        if exporters[name].suffix == path.suffix.lower():
            return exporters[name]
    known = ", ".join(f"{exporters[name].suffix} ({exporters[name].summary})" for name in exporters)
    raise ConfigError(
        f"{path}: nothing is exported to {path.suffix or 'no suffix'}; there are: {known}"
    )


def first_line(error: Exception) -> str:
    """The beginning of another library's message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
