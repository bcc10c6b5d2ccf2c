"""Another library's classifier made dense, compared with it, and what remains to be said."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.dense.head import rewritten
from fullconv.networks.geometry import Field
from fullconv.networks.tracing.trace import Trace, evaluating, trace

ROUNDING = 1e-5  # of the largest score: what float32 in another order of summing explains
MORE = 64  # pixels; the larger image that the result has to run on


def dense_classifier(classifier: nn.Module, size: int) -> nn.Module:
    """The classifier made dense, with the attributes that `convolutionalize` documents.

    Raises:
        GeometryError: it cannot be done exactly.
    """
    name = called(classifier)
    _refuse_positions(classifier, name, size)
    like = next(classifier.parameters())
    seeded = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, size, size, generator=seeded, device="cpu")
    image = image.to(like.device, like.dtype)
    with evaluating(classifier), torch.no_grad():
        try:
            followed = trace(classifier, size, size)
            dense = rewritten(classifier, followed, image)
            larger = trace(dense, size + MORE, size + MORE)
            worst = _compare(classifier(image), dense(image))
        except GeometryError as error:
            raise GeometryError(f"{name} cannot be made fully convolutional: {error}") from error
    shared = set(classifier.modules())
    for layer in dense.modules():
        if layer not in shared:
            layer.training = classifier.training
    caveats = _caveats(classifier, followed, size)
    settle(dense, caveats=caveats, worst=worst, size=size, field=_field(larger))
    return dense


def _refuse_positions(classifier: nn.Module, name: str, size: int) -> None:
    for parameter, tensor in classifier.named_parameters():
        if "pos_embed" in parameter and tensor.dim() > 2:
            raise GeometryError(
                f"{name} cannot be made fully convolutional: it adds a fixed position embedding "
                f"({parameter}, {tuple(tensor.shape)}) made for {size} x {size}, so it has no "
                "scores for other places; take a convolutional network"
            )


def _field(larger: Trace) -> Field | None:
    """Where the scores lie; None where the way to them is not known, or cannot be right."""
    scores = larger.top.result
    sight = larger.sight(scores)
    with suppress(GeometryError):
        found = sight.field() if sight else None
        # The grid grew from one score, so its steps make up what the image grew by.
        if found and abs(MORE - found.stride * (scores.shape[-1] - 1)) < found.stride:
            return found
    return None


def settle(dense: nn.Module, **facts: Any) -> None:
    """Attach facts to a module, past its own bookkeeping of layers and tensors."""
    vars(dense).update(facts)


def _compare(expected: Tensor, found: Tensor) -> float:
    """The largest difference over the largest score.

    Raises:
        GeometryError: it is more than rounding explains.
    """
    if found.shape != (*expected.shape, 1, 1):
        shape = tuple(found.shape)
        raise GeometryError(f"at its own size it gives {shape}, not one score a class")
    if expected.is_meta:
        return 0.0
    worst = float((found[..., 0, 0] - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not worst <= ROUNDING:
        raise GeometryError(f"at its own size scores differ by {worst:.1g} of the largest")
    return worst


def _caveats(classifier: nn.Module, followed: Trace, size: int) -> tuple[str, ...]:
    """What does not hold on an image larger than `size`."""
    found = []
    if followed.whole:
        found.append(
            f"means over the whole image in {_some(followed.whole)}: exact at {size} x {size}, "
            f"but on a larger image they are of all of it, not of the {size} x {size} pixels "
            "that a score is about"
        )
    if followed.attention:
        found.append(
            f"attention between places in {_some(followed.attention)}: exact at {size} x {size}, "
            "but on a larger image other places take part than the classifier had"
        )
    if any(type(layer).__name__.endswith("Same") for layer in classifier.modules()):
        found.append(
            "TensorFlow's \"same\" padding depends on the image's size: give sizes that differ "
            f"from {size} by multiples of the stride, or the windows are shifted by some pixels"
        )
    return tuple(found)


def _some(names: Iterable[str]) -> str:
    every = [name or "forward" for name in names]
    return ", ".join(every[:2]) + (f" and {len(every) - 2} more layers" if len(every) > 2 else "")


def own_size(classifier: nn.Module) -> int:
    """Rows and columns of the images that a classifier was made for: timm says, else 224."""
    settings = getattr(classifier, "pretrained_cfg", None) or {}
    if "input_size" in settings:
        return int(settings["input_size"][-1])
    return 299 if type(classifier).__name__ == "Inception3" else 224


def called(classifier: nn.Module) -> str:
    """What a classifier is called in messages."""
    settings = getattr(classifier, "pretrained_cfg", None) or {}
    return str(settings.get("architecture") or type(classifier).__name__)
