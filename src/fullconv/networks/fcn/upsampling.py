"""Plan how scores are upsampled to the image: the layers, and the crops that align them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fullconv.config import Fusing, Upsampling
from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, coord_map, crop_offset, line_up
from fullconv.networks.layers import BilinearUpsample, CornerResize, FeatureInfo, TransposedUpsample

Upsampler = TransposedUpsample | BilinearUpsample | CornerResize
IMAGE = CoordMap()


@dataclass(frozen=True)
class Fusion:
    """One step from coarse to fine: upsample the score and add a skip's score.

    Attributes:
        upscore: name of the upsampling layer.
        skip: name of the feature whose score is added.
        score_offset: pixels to drop from the upsampled score, which align it with the skip, or in a
            "sum" with the image.
        skip_offset: pixels to drop from the skip (5 and 9 in the paper's networks).
    """

    upscore: str
    skip: str
    score_offset: int
    skip_offset: int


@dataclass
class UpsamplingPlan:
    """The layers and crops from the score maps to the image.

    Attributes:
        kind: of upsampling; not "unpooling".
        classes: score maps.
        learned: whether training changes the layers.
        layers: upsampling layers by name.
        fusions: the steps from coarse to fine.
        final: name of the layer that upsamples to the image.
        offset: pixels to drop from its output.
    """

    kind: Upsampling
    classes: int
    learned: bool
    layers: dict[str, Upsampler] = field(default_factory=dict)
    fusions: tuple[Fusion, ...] = ()
    final: str = ""
    offset: int = 0

    def upsample(self, name: str, source: CoordMap, target: CoordMap) -> CoordMap:
        """Add a layer from the map `source` to `target`; return the map of its output."""
        layer, reached = upsampler(self.kind, self.classes, source, target, self.learned)
        self.layers[name] = layer
        return reached

    def finish(self, source: CoordMap) -> None:
        """Add the last layer, from the map `source` to the image."""
        self.final = f"upscore{int(source.scale)}" if self.fusions else "upscore"
        if self.final in self.layers:  # FCN-2s starts with an upscore2, and would end with one
            self.final = f"upscore_{self.fusions[-1].skip}"
        self.offset = crop_offset(self.upsample(self.final, source, IMAGE), IMAGE)


def cascade(
    plan: UpsamplingPlan, features: Mapping[str, FeatureInfo], top: str, skips: Sequence[str]
) -> None:
    """Plan to upsample the score to the next skip, and to add there (paper, figure 3).

    Raises:
        GeometryError: no whole crops align the features' pixels.
    """
    score = features[top].field.map
    for skip in skips:
        target = features[skip].field.map
        name = f"upscore{int(score.scale / target.scale)}"
        name = f"upscore_{plan.fusions[-1].skip}" if plan.fusions else name
        score = plan.upsample(name, score, target)
        offsets = line_up(score, target)
        plan.fusions += (Fusion(name, skip, *offsets),)
        score = target if offsets[0] else score
    plan.finish(score)


def total(
    plan: UpsamplingPlan, features: Mapping[str, FeatureInfo], top: str, skips: Sequence[str]
) -> None:
    """Plan to upsample each score to the image, and to add there.

    Raises:
        GeometryError: no whole crop aligns a feature's pixels with the image's.
    """
    score = features[top].field.map
    for skip in skips:
        name = f"upscore{int(score.scale)}" if plan.fusions else "upscore"
        offset = crop_offset(plan.upsample(name, score, IMAGE), IMAGE)
        plan.fusions += (Fusion(name, skip, offset, 0),)
        score = features[skip].field.map
    plan.finish(score)


PLANS = {"cascade": cascade, "sum": total}


def plan_upsampling(
    kind: Upsampling,
    fusing: Fusing,
    classes: int,
    learned: bool,
    features: Mapping[str, FeatureInfo],
    top: str,
    skips: Sequence[str],
) -> UpsamplingPlan:
    """Return the plan for a network; see `create_model` for the settings."""
    plan = UpsamplingPlan(kind, classes, learned)
    PLANS[fusing](plan, features, top, skips)
    return plan


def upsampler(
    kind: Upsampling, classes: int, source: CoordMap, target: CoordMap, learned: bool
) -> tuple[Upsampler, CoordMap]:
    """Return the layer that upsamples scores from `source` to `target`, and its output's map.

    Args:
        kind: all but "unpooling".
        classes: score maps.
        source: coordinate map of the scores.
        target: coordinate map of what they are added to, or of the image.
        learned: whether training changes the layer.

    Raises:
        GeometryError: no such layer aligns its pixels with the target's.
    """
    factor = int(source.scale / target.scale)
    if kind == "bilinear-corners":
        if not 0 <= source.shift < source.scale:
            raise GeometryError(
                f"pixels at {source} cannot be resized corner to corner: the first of them is not "
                'in the image\'s corner; use the upsampling "bilinear", or with VGG padding "same"'
            )
        return CornerResize(), target
    refused: GeometryError | None = None
    for kernel in (2 * factor - factor % 2, 2 * factor - 1):
        layer: Upsampler = (
            TransposedUpsample(classes, factor, kernel, learned)
            if kind == "transposed"
            else BilinearUpsample(factor, kernel)
        )
        reached = source @ coord_map(layer)
        try:
            line_up(reached, target)
        except GeometryError as error:
            refused = error
            continue
        return layer, reached
    raise GeometryError(f"scores cannot be upsampled by {factor}: {refused}")
