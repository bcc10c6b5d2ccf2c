"""Write a model file of half the size: weights in float16, computation in float32.

Biases and the parameters of norms stay float32: they are few and may exceed the range of float16.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float, UInt8
from numpy import ndarray

from fullconv.errors import ExportError
from fullconv.export.export import cpu_network
from fullconv.export.parity import check_parity, network_scores
from fullconv.inference.runtimes.description import Parity
from fullconv.model import Model

TOLERANCE = (
    0.1  # relative to an image's largest score; rounding to 11 bits changes up to a tenth of it
)
MAX_LABEL_CHANGES = 2e-3  # share of the pixels


def export_half(model: Model, path: Path, photos: Sequence[UInt8[ndarray, "_ _ 3"]]) -> Parity:
    """Write a model with weights in float16 and without the state of its training.

    Args:
        model: of a network from `create_model`.
        path: ends in .safetensors; an existing file is replaced.
        photos: images to compare on, at three or more odd sizes.

    Raises:
        ExportError: more than `MAX_LABEL_CHANGES` of the labels differ, or scores differ by more
            than `TOLERANCE`, e.g. because a weight exceeds float16; `path` is left as it was.
        OutputError: the disk is full, or the folder cannot be written.
    """
    whole = cpu_network(model)
    half = copy.deepcopy(whole)
    for weight in half.parameters():
        weight.data = weight.data.half() if weight.ndim > 1 else weight.data
    rounded = copy.deepcopy(half).float()

    def run(images: Float[ndarray, "B 3 H W"]) -> Float[ndarray, "B K H W"]:
        return network_scores(rounded, images)

    images = [model.network_input(photo) for photo in photos]
    parity = check_parity(whole, run, images, tolerance=TOLERANCE)
    if parity.label_changes > MAX_LABEL_CHANGES:
        raise ExportError(
            f"with float16 weights {parity.label_changes:.2%} of the labels differ; expected "
            f"at most {MAX_LABEL_CHANGES:.1%}. No file was written; use float32 weights"
        )
    model.with_network(half).save(path)
    return parity
