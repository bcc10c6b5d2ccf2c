"""Draw what an evaluation explains of an image: its errors by kind, and how sure the model was."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.evaluation.error_analysis import PIXEL_KINDS, pixel_kinds
from fullconv.evaluation.image_table import NEAR, near_boundary
from fullconv.evaluation.report.gallery import GallerySample, dark_greys, resized
from fullconv.evaluation.scored_samples import ScoredSample
from fullconv.io.images import encode_jpeg, encode_labels, scale_labels
from fullconv.io.palettes import VOID, Color, Palette

SIDES = (400, 280, 160)  # pixels; longer side of a panel: the first whose panels are small enough
MAX_BYTES = 90 << 10  # of the panels of one image, before they are text in the page
JPEG_QUALITY = 80

# Near Okabe and Ito's colours: they differ for the colour-blind, and stand out on greys.
KIND_COLORS: Palette = ((86, 180, 233), (240, 228, 66), (240, 128, 190), (224, 84, 20))
FIRST_KIND = 250
ERROR_PALETTE: Palette = (*((level,) * 3 for level in range(FIRST_KIND)), *KIND_COLORS)

CONFIDENCES = (0.5, 0.7, 0.9, 0.99)
CONFIDENCE_COLORS: Palette = (
    (253, 231, 37),
    (122, 209, 81),
    (34, 168, 132),
    (42, 96, 142),
    (52, 24, 80),
)
CONFIDENCE_NAMES = ("below 50 %", "50 to 70 %", "70 to 90 %", "90 to 99 %", "above 99 %")


def explained_panels(item: ScoredSample, palette: Palette) -> dict[str, bytes]:
    """Encode the panels of an image by their titles: the photo as JPEG, the others as PNGs.

    The last, confidence, is left out for predictions from files. Together they have at most
    `MAX_BYTES`, if the smallest of `SIDES` suffices for that.
    """
    target = item.sample.labels
    prediction = np.where(target == VOID, np.uint8(VOID), item.labels)
    kinds = pixel_kinds(target, prediction, near_boundary(target, NEAR))
    shown = np.where(kinds < 0, 0, kinds.astype(np.uint8) + FIRST_KIND).astype(np.uint8)
    return _small_enough(lambda side: _encode(item, shown, palette, side))


def compared_panels(
    first: ScoredSample, second: ScoredSample, palette: Palette
) -> dict[str, bytes]:
    """Encode photo, ground truth, and the predictions of two models, as `explained_panels` does."""

    def encode(side: int) -> dict[str, bytes]:
        one, other = (_sized(item, side) for item in (first, second))
        return {
            "photo": encode_jpeg(one.image, JPEG_QUALITY),
            "ground truth": encode_labels(one.target, palette),
            "A": encode_labels(one.prediction, palette),
            "B": encode_labels(other.prediction, palette),
        }

    return _small_enough(encode)


def _small_enough(encode: Callable[[int], dict[str, bytes]]) -> dict[str, bytes]:
    """Return the panels of the largest of `SIDES` that have at most `MAX_BYTES`."""
    panels: dict[str, bytes] = {}
    for side in SIDES:
        panels = encode(side)
        if sum(map(len, panels.values())) <= MAX_BYTES:
            break
    return panels


def _sized(item: ScoredSample, side: int) -> GallerySample:
    sample = item.sample
    whole = GallerySample(sample.name, sample.image, sample.labels, item.labels, math.nan)
    return resized(whole, side)


def _encode(
    item: ScoredSample, kinds: UInt8[np.ndarray, "H W"], palette: Palette, side: int
) -> dict[str, bytes]:
    sized = _sized(item, side)
    size = sized.target.shape
    errors, wrong = dark_greys(sized.image) & 0xF0, scale_labels(kinds, size)
    errors[wrong > 0] = wrong[wrong > 0]
    errors[sized.target == VOID] = 0
    panels = {
        "photo": encode_jpeg(sized.image, JPEG_QUALITY),
        "ground truth": encode_labels(sized.target, palette),
        "prediction": encode_labels(sized.prediction, palette),
        "errors": encode_labels(errors, ERROR_PALETTE),
    }
    if item.prediction and item.prediction.score is not None:
        levels = confidence_levels(item.prediction.score, size)
        panels["confidence"] = encode_labels(levels, CONFIDENCE_COLORS)
    return panels


def confidence_levels(
    score: Float[Tensor, "K H W"], size: tuple[int, ...]
) -> UInt8[np.ndarray, "h w"]:
    """Return how sure a prediction is, as the number of `CONFIDENCES` that are reached.

    Only the pixels nearest to those of a panel of `size` are looked at.
    """
    rows, columns = (
        ((np.arange(count) + 0.5) * whole / count).astype(np.int64)
        for count, whole in zip(size, score.shape[1:], strict=True)
    )
    sampled = score[:, rows][:, :, columns].float().cpu().softmax(0).amax(0).numpy()
    levels: UInt8[np.ndarray, "h w"] = np.digitize(sampled, CONFIDENCES).astype(np.uint8)
    return levels


def kind_legend() -> list[tuple[str, Color]]:
    """Return name and colour of the kinds of errors, and of ignored pixels."""
    near, *others = PIXEL_KINDS
    names = (f"{near} ({NEAR} px)", *others, "ignored")
    return [*zip(names, (*KIND_COLORS, ERROR_PALETTE[0]), strict=True)]


def confidence_legend() -> list[tuple[str, Color]]:
    """Return name and colour of the levels of confidence."""
    return [*zip(CONFIDENCE_NAMES, CONFIDENCE_COLORS, strict=True)]
