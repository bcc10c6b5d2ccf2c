"""Explain receptive fields: derived, measured by gradient, and drawn on a photo."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fullconv.explain.class_heatmap import heat_colors
from fullconv.explain.receptive_field import measure_field
from fullconv.explain.svg import Drawing
from fullconv.networks.fcn import FCN
from fullconv.networks.geometry import CoordMap, Field

PANEL = 480  # pixels; width of a panel of the picture
TONES = ("blue-edge", "orange-edge", "green-edge", "ink")
SHARES = (0.5, 0.95)  # of the gradient


@dataclass(frozen=True)
class FeatureFields:
    """The receptive field of one feature: derived from the layers, and measured by gradient.

    Attributes:
        feature: its name.
        derived: from the layers' strides and kernels.
        measured: along rows and along columns; None if the field is the whole image.
    """

    feature: str
    derived: Field
    measured: tuple[Field, Field] | None

    @property
    def equal(self) -> bool:
        """Whether the measured fields are the derived one."""
        return self.measured == (self.derived, self.derived)


@dataclass(frozen=True)
class Influence:
    """How much each pixel of an image influences one score.

    Attributes:
        row: of the pixel that is scored.
        column: likewise.
        label: the class with the largest score there.
        gradient: sum over the channels of the score's absolute derivatives.
    """

    row: int
    column: int
    label: int
    gradient: Float[np.ndarray, "H W"]

    def side(self, share: float) -> int:
        """Return the side of the smallest square around the pixel with this share of the sum."""
        height, width = self.gradient.shape
        rows = np.abs(np.arange(height) - self.row)[:, None]
        columns = np.abs(np.arange(width) - self.column)
        sums = np.bincount(np.maximum(rows, columns).ravel(), self.gradient.ravel())
        reached = np.searchsorted(sums.cumsum(), share * sums.sum())
        return 2 * int(reached) + 1


def compare_fields(network: FCN) -> list[FeatureFields]:
    """Return the fields of the features that are scored, fine to coarse.

    The measurement needs a backbone of the geometry; its weights do not matter.
    """
    info = network.backbone.feature_info()  # type: ignore[operator]
    result = []
    for feature in (*reversed(network.skips), network.top):
        derived = info[feature].field
        measured = measure_field(network.backbone, feature) if derived.bounded else None
        result.append(FeatureFields(feature, derived, measured))
    return result


def influence(network: FCN, image: Float[torch.Tensor, "1 3 H W"]) -> Influence:
    """Return what influences the best score at the centre of an RGB image in [0, 255]."""
    row, column = (side // 2 for side in image.shape[-2:])
    image = image.clone().requires_grad_()
    with torch.enable_grad():
        score = network(image)[0, :, row, column]
        label = int(score.argmax())
        (gradient,) = torch.autograd.grad(score[label], image)
    return Influence(row, column, label, gradient[0].abs().sum(0).double().cpu().numpy())


def draw_fields(
    fields: list[FeatureFields],
    image: UInt8[np.ndarray, "H W 3"] | None,
    found: Influence | None,
    label: str = "",
) -> str:
    """Draw the fields around the image's centre, and beside them what influences the score.

    Without an image they are drawn on an empty square that holds the largest.
    """
    bounded = [each for each in fields if each.derived.bounded]
    longest = max((each.derived.size for each in bounded), default=64)
    height, width = image.shape[:2] if image is not None else (longest + 64, longest + 64)
    scale = PANEL / width
    panels = 2 if found is not None else 1
    tall = height * scale
    picture = Drawing(
        24 + (PANEL + 24) * panels + (0 if panels == 2 else 180),
        60 + tall + 24 * len(fields) + 20,
        "Receptive fields",
    )
    picture.text(24, 32, "receptive fields of one pixel of each feature", 15, style="strong")
    if image is not None:
        picture.image(24, 48, PANEL, tall, image)
    else:
        picture.box(24, 48, PANEL, tall, "soft")
    for number, each in enumerate(fields):
        tone = TONES[number % len(TONES)]
        y = 48 + tall + 24 * (number + 1)
        picture.box(24, y - 11, 12, 12, "none", tone, 2.5)
        size = f"{each.derived.size} pixels" if each.derived.bounded else "the whole image"
        text = f"{each.feature}: {size}, stride {each.derived.stride}"
        picture.text(44, y, text, 13)
        if each.derived.bounded:
            _draw_field(picture, each.derived, (height, width), scale, tone)
    if found is not None and image is not None:
        x = 48 + PANEL
        picture.text(x, 32, f"what influences the score of {label}", 15, style="strong")
        level = np.sqrt(found.gradient / max(float(found.gradient.max()), 1e-30))
        picture.image(x, 48, PANEL, tall, heat_colors(level))
        for share, tone in zip(SHARES, ("green-edge", "blue-edge"), strict=True):
            side = found.side(share)
            centre = x + (found.column + 0.5) * scale, 48 + (found.row + 0.5) * scale
            _square(picture, centre, side * scale, (x, 48, PANEL, tall), tone)
            y = 48 + tall + 24 * (SHARES.index(share) + 1)
            picture.box(x, y - 11, 12, 12, "none", tone, 2.5)
            picture.text(x + 20, y, f"{100 * share:.0f} % of the gradient: {side} pixels", 13)
    return picture.render()


def _draw_field(
    picture: Drawing, field: Field, size: tuple[int, int], scale: float, tone: str
) -> None:
    """Draw the field of the pixel whose centre is nearest to the image's centre."""
    x, y = (24 + (_nearest(field.map, side) + 0.5) * scale for side in (size[1], size[0]))
    y += 24  # the panel begins at 48
    limits = (24.0, 48.0, size[1] * scale, size[0] * scale)
    _square(picture, (x, y), field.size * scale, limits, tone)
    picture.dot(x, y, 3, tone, tone)


def _nearest(centre: CoordMap, side: int) -> float:
    i = round((side / 2 - float(centre.shift)) / float(centre.scale))
    return float(centre(i))


def _square(
    picture: Drawing,
    centre: tuple[float, float],
    side: float,
    limits: tuple[float, float, float, float],
    tone: str,
) -> None:
    """Draw a square, cut off at the panel (x, y, width, height)."""
    left, top, width, height = limits
    x1, y1 = max(left, centre[0] - side / 2), max(top, centre[1] - side / 2)
    x2 = min(left + width, centre[0] + side / 2)
    y2 = min(top + height, centre[1] + side / 2)
    picture.box(x1, y1, x2 - x1, y2 - y1, "none", tone, 2.5)
