"""Write PyTorch programs (.pt2) with torch.export."""

import zipfile
from pathlib import Path

import torch
from torch import nn

from fullconv.config import Size
from fullconv.conversion.trace import trace
from fullconv.export.exporters import Exporter, exporters
from fullconv.inference.runtimes import KEY, quiet

FOLDER = "extra"  # where torch.export.load looks for `extra_files`


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the network's graph and weights."""
    program = trace(network, size)
    with path.open("wb") as stream, quiet():
        torch.export.save(program, stream)


def stamp(path: Path, description: str) -> None:
    """Add the description as one of the archive's extra files."""
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/{FOLDER}/{KEY}", description)


exporters.register("torch_export")(
    Exporter(
        suffix=".pt2",
        write=write,
        stamp=stamp,
    )
)
