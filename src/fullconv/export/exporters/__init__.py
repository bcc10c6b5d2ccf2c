"""Networks for other runtimes. One file a kind of file; this folder is the list of them.

A member writes a network into its kind of file and opens it again, so that the very file that is
handed on is what has been compared with the network (see `fullconv.export.exported`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import nn

from fullconv._registry import Registry
from fullconv.config import Size
from fullconv.errors import ConfigError
from fullconv.inference.runtimes import Opened

Images = Sequence[Float[np.ndarray, "1 3 _ _"]]


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
        quantize: (path, path to write, normalized batches of images) -> None: the same in int8
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


exporters: Registry[Exporter] = Registry("fullconv.export.exporters", "exporter")


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
