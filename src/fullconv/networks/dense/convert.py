"""Convert a classifier of another library, and compare the result with the classifier."""

from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.dense.classifier import DenseClassifier, DenseGraph
from fullconv.networks.dense.head import rewrite_head
from fullconv.networks.geometry import Field
from fullconv.networks.tracing.recorder import evaluating
from fullconv.networks.tracing.trace import Trace, trace

TOLERANCE = 1e-5  # of the largest score: float32 rounding with another order of summation
GROWTH = 64  # pixels by which the image is enlarged for the second trace


def convert_classifier(classifier: nn.Module, size: int) -> DenseClassifier:
    """Return a classifier of another library as a fully convolutional network.

    Raises:
        GeometryError: it cannot be done exactly.
    """
    name = display_name(classifier)
    _refuse_position_embedding(classifier, name, size)
    weight = next(classifier.parameters())
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, size, size, generator=generator, device="cpu")
    image = image.to(weight.device, weight.dtype)
    with evaluating(classifier), torch.no_grad():
        try:
            record = trace(classifier, size, size)
            dense = rewrite_head(classifier, record, image)
            larger = trace(dense, size + GROWTH, size + GROWTH)
            worst = _compare(classifier(image), dense(image))
            _check_grid(dense, larger, size)
        except GeometryError as error:
            raise GeometryError(f"{name} cannot be made fully convolutional: {error}") from error
    _share_training_mode(classifier, dense)
    dense.size, dense.field, dense.worst = size, _field(larger), worst
    dense.caveats = _caveats(classifier, record, size)
    return dense


def input_size(classifier: nn.Module) -> int:
    """Return rows and columns of the images a classifier was made for: timm's setting, else 224."""
    settings = getattr(classifier, "pretrained_cfg", None) or {}
    if "input_size" in settings:
        return int(settings["input_size"][-1])
    return 299 if type(classifier).__name__ == "Inception3" else 224


def display_name(classifier: nn.Module) -> str:
    """Return the name of a classifier for messages: timm's architecture, else its class."""
    settings = getattr(classifier, "pretrained_cfg", None) or {}
    return str(settings.get("architecture") or type(classifier).__name__)


def _refuse_position_embedding(classifier: nn.Module, name: str, size: int) -> None:
    for parameter, tensor in classifier.named_parameters():
        if "pos_embed" in parameter and tensor.dim() > 2:
            raise GeometryError(
                f"{name} cannot be made fully convolutional: it adds a fixed position embedding "
                f"({parameter}, {tuple(tensor.shape)}) for images of {size} x {size}; use a "
                "convolutional network"
            )


def _share_training_mode(classifier: nn.Module, dense: DenseGraph) -> None:
    shared = set(classifier.modules())
    for layer in dense.modules():
        if layer not in shared:
            layer.training = classifier.training


def _field(larger: Trace) -> Field | None:
    """Return the receptive field of the scores, or None if it is unknown or inconsistent."""
    scores = larger.root.output
    extent = larger.extent(scores)
    with suppress(GeometryError):
        field = extent.field() if extent else None
        # The grid grew from one score, so its steps have to add up to the image's growth.
        if field and abs(GROWTH - field.stride * (scores.shape[-1] - 1)) < field.stride:
            return field
    return None


def _check_grid(dense: DenseGraph, larger: Trace, size: int) -> None:
    """Refuse a head that gives one score for an image of any size.

    Raises:
        GeometryError: it is one.
    """
    record = larger
    if min(record.root.output.shape[-2:]) == 1:  # or its scores are more than `GROWTH` pixels apart
        record = trace(dense, 2 * size, 2 * size)  # room for two windows of any head
    if min(record.root.output.shape[-2:]) == 1:
        raise GeometryError(
            f"an image of {2 * size} x {2 * size} has one score, as one of {size} x {size}, since "
            "its head combines or picks positions in a way that depends on the image's size; "
            "expected a pooling such as nn.AdaptiveAvgPool2d(1)"
        )


def _compare(expected: Tensor, scores: Tensor) -> float:
    """Return the largest difference, relative to the largest score.

    Raises:
        GeometryError: it is more than rounding explains.
    """
    if scores.shape != (*expected.shape, 1, 1):
        shape = tuple(scores.shape)
        raise GeometryError(f"at its own size it gives {shape} instead of one score per class")
    if expected.is_meta:
        return 0.0
    difference = (scores[..., 0, 0] - expected).abs().max()
    worst = float(difference / expected.abs().max().clamp(min=1e-30))
    if not worst <= TOLERANCE:
        raise GeometryError(f"at its own size scores differ by {worst:.1g} of the largest")
    return worst


def _caveats(classifier: nn.Module, record: Trace, size: int) -> tuple[str, ...]:
    """Return what does not hold on images larger than `size`."""
    caveats = []
    if record.global_modules:
        caveats.append(
            f"means over the whole image in {_list(record.global_modules)}: exact at "
            f"{size} x {size}; on a larger image they cover all of it instead of the "
            f"{size} x {size} pixels around each score"
        )
    if record.attention:
        caveats.append(
            f"attention between positions in {_list(record.attention)}: exact at {size} x {size}; "
            "on a larger image each position attends to more positions than in training"
        )
    if any(type(layer).__name__.endswith("Same") for layer in classifier.modules()):
        caveats.append(
            "TensorFlow's \"same\" padding depends on the image's size: use sizes that differ from "
            f"{size} by multiples of the stride, or the windows are shifted by some pixels"
        )
    return tuple(caveats)


def _list(modules: Iterable[str]) -> str:
    names = [name or "forward" for name in modules]
    more = f" and {len(names) - 2} more layers" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
