"""A model file of half the size: weights in float16, computed with in single precision.

Biases and the norms' numbers are few, and reach further than float16: they stay as they are.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float, UInt8
from numpy import ndarray

from fullconv.errors import ExportError
from fullconv.export.export import on_cpu, working
from fullconv.export.parity import check_parity, scores
from fullconv.inference.runtimes.description import Parity
from fullconv.model import Model

SUFFIX = ".safetensors"
TOLERANCE = 0.1  # of an image's largest score; rounding to 11 bits changes up to a tenth of it
FLIPS = 2e-3  # share of the pixels that may get another label: those between two classes


def export_half(model: Model, path: Path, photos: Sequence[UInt8[ndarray, "_ _ 3"]]) -> Parity:
    """Write a model with weights in float16, without what only its training needs.

    Args:
        model: anything that `create_model` builds.
        path: ends in .safetensors; an existing file is replaced.
        photos: to compare answers on, at three odd sizes at least.

    Raises:
        ExportError: more than `FLIPS` of the labels differ, or scores by `TOLERANCE`, as where a
            weight is too large for float16; nothing stands under `path` that did not before.
        OutputError: the disk is full, or the folder cannot be written.
    """
    whole = on_cpu(model)
    half = copy.deepcopy(whole)
    for weight in half.parameters():
        weight.data = weight.data.half() if weight.ndim > 1 else weight.data
    rounded = copy.deepcopy(half).float()

    def run(images: Float[ndarray, "B 3 H W"]) -> Float[ndarray, "B K H W"]:
        return scores(rounded, images)

    images = [working(photo, model.size) for photo in photos]
    parity = check_parity(whole, run, images, tolerance=TOLERANCE)
    if parity.label_changes > FLIPS:
        raise ExportError(
            f"with float16 weights {parity.label_changes:.2%} of the labels differ; expected "
            f"at most {FLIPS:.1%}. No file was written; save the model with float32 weights instead"
        )
    model.with_network(half).save(path)
    return parity
