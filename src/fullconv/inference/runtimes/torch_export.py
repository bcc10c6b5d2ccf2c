"""Run .pt2 programs with PyTorch."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from fullconv.errors import WeightsError
from fullconv.inference.runtimes import Opened, Runtime, check_finite, first_line, quiet, runtimes
from fullconv.inference.runtimes._pt2_guard import check_program


def open_program(path: Path) -> Opened:
    """Open a program that `fullconv export` wrote, after checking that it cannot run other code.

    Raises:
        WeightsError: the file is missing or damaged, holds what could run code, or its weights are
            not finite.
    """
    import torch  # which other exported files do without

    description = check_program(path)
    try:
        with path.open("rb") as stream, quiet():
            module = torch.export.load(stream).module()
    except Exception as error:  # a damaged archive fails in many ways
        raise WeightsError(f"{path}: not a program that can be run: {first_line(error)}") from error

    check_finite(path, {name: t.numpy() for name, t in module.state_dict().items()})

    @torch.inference_mode()
    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        scores: np.ndarray = module(torch.from_numpy(image)).numpy()
        return scores

    return Opened(run, description)


runtimes.register("torch_export")(Runtime(".pt2", "PyTorch", open_program))
