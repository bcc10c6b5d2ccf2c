"""Explain skips: what the scores of each stride contribute to a prediction.

Upsampling, cropping and adding are linear, so the network's score is the sum of what each score
layer contributes alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from fullconv.errors import ConfigError
from fullconv.explain.svg import Drawing
from fullconv.io.images import scale_image, scale_labels
from fullconv.io.palettes import Palette, colorize
from fullconv.networks.fcn import FCN

PANEL = 240  # pixels; width of a panel of the picture
MAX_NAMES = 12  # classes in the legend


@dataclass(frozen=True)
class Contribution:
    """What one stride adds to the score.

    Attributes:
        name: "32s" for the coarsest scores of a network with stride 32, then "16s", "8s".
        score: its summand, (classes, height, width).
        labels: the prediction of the sum of this and all coarser contributions.
        changed: share of the pixels whose label differs from the one before; nan for the coarsest.
    """

    name: str
    score: Float[Tensor, "K H W"]
    labels: Int64[Tensor, "H W"]
    changed: float

    @property
    def present(self) -> list[int]:
        """The classes that are predicted."""
        return [int(label) for label in np.unique(self.labels.numpy())]

    @property
    def strength(self) -> float:
        """The mean absolute value of the summand."""
        return float(self.score.abs().mean())


def skip_contributions(network: FCN, image: Float[Tensor, "1 3 H W"]) -> list[Contribution]:
    """Return the contributions to the score of an RGB image in [0, 255], coarse to fine.

    Raises:
        ConfigError: the network upsamples by unpooling, which is not linear in the scores.
    """
    if network.mirror is not None:
        raise ConfigError(
            'a network with upsampling "unpooling" adds no scores, so they cannot be told apart; '
            "expected one that upsamples its scores"
        )
    layers = list(network.score_layers())
    features = network.feature_info()
    names = [f"{int(features[name].field.stride)}s" for name in (network.top, *network.skips)]
    found: list[Contribution] = []
    total: Tensor | None = None
    for name, layer in zip(names, layers, strict=True):
        score = _only(network, layer, layers, image)
        total = score if total is None else total + score
        labels = total.argmax(0)
        before = found[-1].labels if found else None
        changed = float("nan") if before is None else float((labels != before).float().mean())
        found.append(Contribution(name, score, labels, changed))
    return found


def rounding(network: FCN, image: Tensor, found: list[Contribution]) -> float:
    """Return the largest difference of the contributions' sum from the network's score."""
    with torch.inference_mode():
        score = network(image)[0]
    return float((sum((each.score for each in found[1:]), found[0].score) - score).abs().max())


@torch.inference_mode()
def _only(network: FCN, kept: nn.Module, layers: list[nn.Conv2d], image: Tensor) -> Tensor:
    """Return the network's score with the scores of all other layers set to zero."""
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))
        for layer in layers
        if layer is not kept
    ]
    try:
        score: Tensor = network(image)[0]
    finally:
        for hook in hooks:
            hook.remove()
    return score


def draw_contributions(
    found: list[Contribution],
    image: UInt8[np.ndarray, "H W 3"],
    classes: tuple[str, ...],
    palette: Palette,
    shown: int,
) -> str:
    """Draw the predictions of the sums, and below each summand's score of class `shown`."""
    height, width = image.shape[:2]
    size = (max(1, round(height * PANEL / width)), PANEL)
    step, top = PANEL + 16, 76.0
    present = np.unique(torch.stack([each.labels for each in found]).numpy())
    present = present[np.argsort([-int((found[-1].labels == label).sum()) for label in present])]
    labels = [int(label) for label in present[:MAX_NAMES]]
    columns = max(1, (step * (len(found) + 1)) // 190)
    lines = -(-len(labels) // columns)
    full = Drawing(
        24 + step * (len(found) + 1) + 8,
        top + 2 * size[0] + 102 + 22 * lines,
        "What the scores of each stride contribute",
    )
    full.text(24, 30, "What the scores of each stride contribute", 16, style="strong")
    full.text(24, top - 10, "photo", 13, style="muted")
    full.image(24, top, PANEL, size[0], scale_image(image, size))
    second = top + size[0] + 50
    full.text(24, second + 16, f"score of {classes[shown]}", 14, style="strong")
    full.text(24, second + 40, "orange: for the class", 13, style="orange-edge")
    full.text(24, second + 60, "blue: against it", 13, style="blue-edge")
    largest = max(float(each.score[shown].abs().max()) for each in found) or 1.0
    full.text(24, second + 80, f"full colour: {largest:.3g}", 13, style="muted")
    title = ""
    for number, each in enumerate(found, 1):
        x = 24 + step * number
        title = f"{title} + {each.name}" if title else each.name
        full.text(x, top - 10, f"prediction of {title}", 13, style="muted")
        panel = scale_labels(each.labels.numpy().astype(np.uint8), size)
        full.image(x, top, PANEL, size[0], colorize(panel, palette), exact=True)
        change = "" if np.isnan(each.changed) else f"{100 * each.changed:.1f} % of pixels change"
        full.text(x, top + size[0] + 18, change, 12, style="muted")
        full.text(x, second - 6, f"{each.name} alone", 13, style="muted")
        heat = _signed(each.score[shown].numpy() / largest)
        full.image(x, second, PANEL, size[0], scale_image(heat, size))
    below = second + size[0] + 22
    for index, label in enumerate(labels):
        x, y = 24 + 190 * (index % columns), below + 22 * (index // columns)
        full.swatch(x, y, palette[label])
        full.text(x + 22, y + 12, classes[label][:22], 13)
    return full.render()


def _signed(values: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """Colour values in [-1, 1]: blue, white, orange; the square root makes small ones visible."""
    level = np.sqrt(np.abs(values).clip(0, 1))[..., None]
    end = np.where(values[..., None] > 0, np.array([214.0, 96, 10]), np.array([11.0, 98, 168]))
    return np.asarray((255 + (end - 255) * level).round(), np.uint8)
