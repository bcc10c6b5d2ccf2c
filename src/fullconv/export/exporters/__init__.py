"""Write networks for other runtimes: one file per format, registered here by name.

`fullconv.inference.runtimes` opens what an exporter writes; each exporter has the name of its
runtime there, so the file itself is compared with the network before it is kept.
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
from fullconv.inference.runtimes import MODEL_SUFFIX, unsupported
from fullconv.inference.runtimes.description import BrowserCheck

Images = Sequence[Float[np.ndarray, "1 3 _ _"]]


@dataclass(frozen=True)
class Exporter:
    """A file format for another runtime.

    Attributes:
        suffix: file suffix, e.g. ".onnx".
        write: (network, path, size or None for any size) -> None; writes `path` and its companions.
        stamp: (path, description as JSON) -> None; adds the metadata to a file just written.
        quantize: (path, path to write, calibration images) -> None; writes the file in int8. None
            if the format has no int8.
        try_out: (path of the finished file, images (1, 3, H, W)) -> how it behaves where it is to
            be used; None if that is not at hand. None if the runtime tells already.
        companions: suffixes of further files that belong to `path`.
    """

    suffix: str
    write: Callable[[nn.Module, Path, Size | None], None]
    stamp: Callable[[Path, str], None]
    quantize: Callable[[Path, Path, Images], None] | None = None
    try_out: Callable[[Path, Images], BrowserCheck | None] | None = None
    companions: tuple[str, ...] = ()


exporters: Registry[Exporter] = Registry("fullconv.export.exporters", "exporter")


def exporter_for(path: Path) -> Exporter:
    """Return the exporter registered for the suffix of `path`.

    Raises:
        ConfigError: no exporter has this suffix.
    """
    if found := exporters.of_suffix(path.suffix):
        return found
    if path.suffix.lower() == MODEL_SUFFIX:
        raise ConfigError(f"{path}: a model file; write it with Model.save() or export_half()")
    raise ConfigError(f"{path}: {unsupported(path)}")
