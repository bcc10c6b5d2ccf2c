"""Run .pt2 programs with PyTorch."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fullconv.errors import WeightsError
from fullconv.inference.runtimes import Opened, first_line, quiet
from fullconv.inference.runtimes._pt2_guard import check_program


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
