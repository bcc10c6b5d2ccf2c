"""Upper bounds on IoU by stride and working scale: `python benchmarks/working_scale.py DATA...`.

The masks are scaled, reduced to the grid of a stride, and brought back to their own size as scores
are: what a perfect network of that stride would reach. Also prints the scale that a training would
choose, and why.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8

from fullconv.config import RunConfig
from fullconv.data.formats import open_data
from fullconv.data.sample import Data
from fullconv.evaluation.metrics import Confusion
from fullconv.io.images import fit_size, scale_labels
from fullconv.training.resolve import resolve

STRIDES, SCALES = (8, 4), (0.5, 1.0, 1.5, 2.0)
MASKS = 9


def brought_back(
    labels: UInt8[np.ndarray, "H W"], scale: float, stride: int, classes: int
) -> UInt8[np.ndarray, "H W"]:
    """Return the labels that a perfect network of the stride gives at a working scale."""
    height, width = fit_size(labels.shape, None, scale)
    large = torch.from_numpy(scale_labels(labels, (height, width)))
    shares = torch.stack([large == label for label in range(classes)]).float()[None]
    cells = F.avg_pool2d(F.pad(shares, (0, -width % stride, 0, -height % stride)), stride)
    scores = F.interpolate(cells, scale_factor=float(stride), mode="bilinear")
    own = F.interpolate(scores[..., :height, :width], labels.shape, mode="bilinear")
    found: np.ndarray = own[0].argmax(0).to(torch.uint8).numpy()
    return found


def report(data: Data) -> None:
    """Print a line for each stride and scale."""
    count = len(data.classes)
    masks = [data[index].labels for index in range(0, len(data), max(1, len(data) // MASKS))]
    for stride in STRIDES:
        for scale in SCALES:
            bound = Confusion(count)
            for labels in masks:
                bound.add(labels, brought_back(labels, scale, stride, count))
            worst = int(np.nanargmin(bound.iou))
            print(
                f"  stride {stride}, scale {scale:g}: mean IoU {100 * bound.mean_iou:.1f} %, "
                f"{data.classes[worst]} {100 * bound.iou[worst]:.1f} %"
            )


if __name__ == "__main__":
    for source in sys.argv[1:] or ["scenes:20"]:
        opened = open_data(source, "train")
        print(f"{source}: {resolve(RunConfig(data=source), opened)[1]}")
        report(opened)
