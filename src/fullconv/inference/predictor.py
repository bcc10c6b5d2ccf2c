"""Predict one image: the class of every pixel, at the image's own size."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from fullconv.config import RGB, Head
from fullconv.data.sample import default_palette
from fullconv.hardware import SHARE, free_memory
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.heap import free_heap
from fullconv.inference.plan import Plan
from fullconv.inference.prediction import Prediction, photo_of
from fullconv.inference.score_labels import largest_scores
from fullconv.inference.stopping import Stop, check_stop, never
from fullconv.io import images
from fullconv.io.palettes import Palette
from fullconv.io.window import Window
from fullconv.units import parse_bytes

if TYPE_CHECKING:
    import torch

    from fullconv.inference.tiling import Read


def predict(
    network: "torch.nn.Module | ExportedFile",
    image: UInt8[np.ndarray, "H W C"],
    classes: Sequence[str],
    palette: Palette | None = None,
    size: tuple[int, int] | None = None,
    *,
    input_scale: float = 1.0,
    memory: int | str | None = None,
    scores: bool = False,
    held: int = 0,
    stop: Stop = never,
    heads: Sequence[Head] = (),
) -> Prediction:
    """Predict one image; `Model.predict` is the same with a model's settings.

    An image that does not fit the memory is processed in parts, with the same result.

    Args:
        network: (B, C, H, W) in [0, 255] -> scores, in evaluation mode; or an exported file, for
            which PyTorch is imported only if the image has to be processed in parts.
        image: in [0, 255]: red, green, blue, then the network's other channels, if any.
        classes: class names.
        palette: one RGB colour per class; None for the default palette.
        size: (height, width) that larger images are downscaled to fit; the scores are resized back
            to the image's own size (bilinear, corners not aligned) before the argmax. None for no
            limit.
        input_scale: factor that images are scaled by, after `size`; the scores likewise.
        memory: limit in bytes or as "2GiB" for the computation and its results, besides the network
            itself; None for half of the free memory.
        scores: keep the scores even if the image is processed in parts.
        held: bytes within `memory` that the caller holds meanwhile.
        stop: asked before each part.
        heads: see `Model`; the prediction is that of the first, and `Prediction.heads` has all.

    Raises:
        MemoryBudgetError: `memory` is too small.
        StoppedError: `stop` returned True.
    """
    free_heap(image.shape)
    scaled = images.scale_image(image, images.fit_size(image.shape, size, input_scale))
    shape = (image.shape[0], image.shape[1])
    sizing = size, input_scale
    bands = image.shape[2]
    planned = plan_prediction(
        network, shape, *sizing, memory, scores=scores, held=held, bands=bands, heads=heads
    )
    keep = scores or planned.kind == "whole"
    labels = np.empty((max(1, len(heads)), *shape), np.uint8)
    score: np.ndarray | None = None
    seam = (0, 0)

    def read(window: Window) -> UInt8[np.ndarray, "rows columns C"]:
        check_stop(stop)
        return scaled[window.slices]

    with _without_gradients(network):
        for window, part, seen in _compute(network, read, planned):
            seam = seen
            layers = split_scores(part, heads) if heads else [part]
            for layer, scores_of_head in zip(labels, layers, strict=True):
                layer[window.slices] = largest_scores(scores_of_head)
            if not keep:
                continue
            if part.shape[1:] == shape:
                score = part
            else:
                score = score if score is not None else np.empty((len(part), *shape), np.float32)
                score[:, *window.slices] = part
    found = Prediction(
        photo_of(image),
        score,
        tuple(classes),
        tuple(palette or default_palette(classes)),
        labels[0],
        planned,
        seam[1] / seam[0] if seam[0] else None,
    )
    return with_heads(found, heads, [*labels]) if heads else found


Parts = Iterator[tuple[Window, Float[np.ndarray, "K rows columns"], tuple[int, int]]]


def _compute(network: "torch.nn.Module | ExportedFile", read: "Read", planned: Plan) -> Parts:
    """Yield the windows of an image, their scores, and the counts of seams so far."""
    if isinstance(network, ExportedFile) and planned.kind == "whole":
        score = network.scores(read(Window(0, 0, *planned.size)), planned)
        yield Window(0, 0, *planned.result), score, (0, 0)
        return
    from fullconv.inference.tiling import scored_windows

    for window, found, seam in scored_windows(_module(network), read, planned):
        yield window, found.numpy(), seam


def _without_gradients(network: "torch.nn.Module | ExportedFile") -> AbstractContextManager[object]:
    """Return a context in which PyTorch keeps nothing for gradients; other runtimes never do."""
    if isinstance(network, ExportedFile):
        return nullcontext()
    import torch

    return torch.inference_mode()


def _module(network: "torch.nn.Module | ExportedFile") -> "torch.nn.Module":
    """Return the network itself, or that of an exported file."""
    if not isinstance(network, ExportedFile):
        return network
    from fullconv.inference.exported_network import exported_network

    return exported_network(network)


def split_scores(score: Float[np.ndarray, "K H W"], heads: Sequence[Head]) -> list[np.ndarray]:
    """Return the scores of each of several heads."""
    ends = np.cumsum([len(head.classes) for head in heads])
    return np.split(score, ends[:-1])


def with_heads(
    whole: Prediction, heads: Sequence[Head], labels: Sequence[UInt8[np.ndarray, "H W"]]
) -> Prediction:
    """Return the prediction of the first head, with those of all heads.

    Args:
        whole: the prediction with the scores of all heads, or without scores.
        heads: two or more.
        labels: of each head.
    """
    kept = whole.score_array
    scores = [None] * len(heads) if kept is None else split_scores(kept, heads)
    parts = {
        head.name: replace(
            whole,
            score_array=score,
            classes=head.classes,
            palette=head.palette,
            stored_labels=layer,
        )
        for head, score, layer in zip(heads, scores, labels, strict=True)
    }
    return replace(parts[heads[0].name], heads=parts)


def plan_prediction(
    network: "torch.nn.Module | ExportedFile",
    shape: tuple[int, int],
    size: tuple[int, int] | None = None,
    input_scale: float = 1.0,
    memory: int | str | None = None,
    *,
    scores: bool = False,
    held: int = 0,
    bands: int = RGB,
    heads: Sequence[Head] = (),
) -> Plan:
    """Plan what `predict` does with an image of `shape` (height, width) and `bands` channels.

    See `predict` for the other arguments.

    Raises:
        MemoryBudgetError: `memory` is too small.
    """
    input_size = images.fit_size(shape, size, input_scale)
    held += max(1, len(heads)) * prod(shape)  # the labels
    if input_size != shape:
        held += (4 + bands) * prod(input_size)  # Pillow's copy, and the array
    if isinstance(network, ExportedFile):
        resized = None if shape == input_size else shape
        start = Plan(
            "whole", True, input_size, *input_size, resized=resized, bands=bands, held=held
        )
        budget = int(SHARE * free_memory()) if memory is None else parse_bytes(memory)
        if (found := network.plan_whole(start, budget)) is not None:
            return found
    from fullconv.inference.planner import plan

    return plan(
        _module(network), input_size, memory, resized=shape, bands=bands, held=held, scores=scores
    )


def _compute_with_one_thread() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # The other threads of PyTorch's pool do not exist in a forked process, which would wait for
    # them for ever.
    os.register_at_fork(after_in_child=_compute_with_one_thread)
