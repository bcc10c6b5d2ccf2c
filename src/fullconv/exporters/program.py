"""PyTorch programs (.pt2): the network as torch.export sees it, run by PyTorch without our code."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from fullconv.config import Size
from fullconv.errors import WeightsError
from fullconv.exporters import KEY, Exporter, Opened, exporters, first_line
from fullconv.exporters._traced import quiet, traced
from fullconv.exporters._vetted import check_program

FOLDER = "extra"  # where torch.export.load looks for `extra_files`


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the network's graph and weights."""
    program = traced(network, size)
    with path.open("wb") as stream, quiet():
        torch.export.save(program, stream)


def stamp(path: Path, description: str) -> None:
    """Add the description as one of the archive's extra files."""
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/{FOLDER}/{KEY}", description)


def open_program(path: Path) -> Opened:
    """Read a program, after a look that it is nothing else.

    Raises:
        WeightsError: it is damaged, or holds what could run code.
    """
    description = check_program(path)
    try:
        with path.open("rb") as stream, quiet():
            module = torch.export.load(stream).module()
    except Exception as error:  # a damaged archive shows in many ways
        raise WeightsError(f"{path}: not a program that can be run: {first_line(error)}") from error

    @torch.inference_mode()
    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        scores: np.ndarray = module(torch.from_numpy(image)).numpy()
        return scores

    return Opened(run, description)


exporters.register("program")(
    Exporter(
        suffix=".pt2",
        summary="PyTorch, by torch.export",
        write=write,
        stamp=stamp,
        open=open_program,
    )
)
