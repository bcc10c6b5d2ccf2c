"""Compare an engine's scores with PyTorch's before it computes anything for a user."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Size
from fullconv.errors import ExportError
from fullconv.inference.runtimes import Run

TOLERANCE = 1e-5  # relative to an image's largest score; rounding takes a tenth to a third of it
SIZES: tuple[Size, ...] = ((33, 47), (97, 130), (161, 225))  # sides that no stride divides
SPOT: tuple[Size, ...] = SIZES[:1]  # of the check each time that an engine is opened


def compare(network: nn.Module, run: Run, sizes: Sequence[Size] = SIZES) -> float:
    """Return the largest difference of a score from PyTorch's, relative to the image's largest.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode, computed by PyTorch.
        run: the engine's.
        sizes: (height, width) of the images compared.

    Raises:
        ExportError: a score differs by more than `TOLERANCE`, or a label where the two largest
            scores are further apart than that.
    """
    worst = 0.0
    for size in sizes:
        image = sample_image(size)
        with torch.inference_mode():
            expected = network(image).float()
        worst = max(worst, check_scores(expected, torch.from_numpy(run(image.numpy()))))
    return worst


def check_scores(expected: Float[Tensor, "B K H W"], found: Tensor) -> float:
    """Return the largest difference of scores, relative to the largest expected one.

    Raises:
        ExportError: see `compare`.
    """
    if found.shape != expected.shape:
        raise ExportError(
            f"its scores have the shape {tuple(found.shape)}; expected {tuple(expected.shape)}"
        )
    largest = float(expected.abs().max())
    worst = float((found - expected).abs().max())
    if not worst <= TOLERANCE * largest:  # NaN included
        raise ExportError(
            f"its scores differ from PyTorch's by {worst / max(largest, 1e-30):.1e} of the "
            f"largest; expected at most {TOLERANCE:.0e}"
        )
    changed = expected.argmax(1) != found.argmax(1)
    if expected.shape[1] > 1 and changed.any():
        first, second = expected.topk(2, 1).values.unbind(1)
        unequal = int((changed & (first - second > 2 * TOLERANCE * largest)).sum())
        if unequal:
            raise ExportError(f"its labels differ from PyTorch's at {unequal} pixels")
    return worst / largest if largest else 0.0


def sample_image(size: Size) -> Float[Tensor, "1 3 H W"]:
    """Return an image with smooth areas, edges and noise, RGB in [0, 255]; always the same."""
    random = np.random.default_rng(size[0] * 10_000 + size[1])
    coarse = torch.from_numpy(random.uniform(0, 255, (1, 3, 9, 9)).astype(np.float32))
    smooth = F.interpolate(coarse, size, mode="bilinear", align_corners=False)
    edges = F.interpolate(coarse.flip(-1), size, mode="nearest")
    noise = torch.from_numpy(random.normal(0, 8, (1, 3, *size)).astype(np.float32))
    columns = torch.arange(size[1]) < size[1] // 2
    return (torch.where(columns, smooth, edges) + noise).clamp(0, 255).round().contiguous()
