"""How coarse scores become pixels: which layers enlarge them, and which crops line them up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fullconv.config import Fusing, Upsampling
from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, coord_map, crop_offset, line_up
from fullconv.networks.layers import BilinearUpsample, CornerResize, FeatureInfo, TransposedUpsample

Enlarger = TransposedUpsample | BilinearUpsample | CornerResize
IMAGE = CoordMap()


@dataclass(frozen=True)
class Fusion:
    """One step from coarse to fine: enlarge the score, add a skip's score where they meet.

    Attributes:
        upscore: name of the upsampling layer.
        skip: name of the feature whose score is added.
        score_offset: pixels to drop from the enlarged score. In a "sum" they line it up with the
            image, else with the skip.
        skip_offset: pixels to drop from the skip (5 and 9 in the paper's networks).
    """

    upscore: str
    skip: str
    score_offset: int
    skip_offset: int


@dataclass
class UpsamplingPlan:
    """All that leads from the score maps to the image.

    Attributes:
        kind: of the upsampling, all but "unpooling".
        classes: score maps.
        learned: whether training changes the layers.
        layers: the layers that enlarge, by name.
        fusions: the steps from coarse to fine.
        final: the layer that enlarges to the image.
        offset: pixels to drop from what it gives.
    """

    kind: Upsampling
    classes: int
    learned: bool
    layers: dict[str, Enlarger] = field(default_factory=dict)
    fusions: tuple[Fusion, ...] = ()
    final: str = ""
    offset: int = 0

    def enlarge(self, name: str, here: CoordMap, goal: CoordMap) -> CoordMap:
        """Plan a layer that enlarges what is at `here`, and give where it then is."""
        layer, reached = enlarger(self.kind, self.classes, here, goal, self.learned)
        self.layers[name] = layer
        return reached

    def end(self, here: CoordMap) -> None:
        """Plan the last step, from `here` to the image."""
        self.final = f"upscore{int(here.scale)}" if self.fusions else "upscore"
        if self.final in self.layers:  # FCN-2s begins with an upscore2, and would end with one
            self.final = f"upscore_{self.fusions[-1].skip}"
        self.offset = crop_offset(self.enlarge(self.final, here, IMAGE), IMAGE)


def cascade(
    plan: UpsamplingPlan, taps: Mapping[str, FeatureInfo], top: str, skips: Sequence[str]
) -> None:
    """Plan to enlarge the score only as far as the next skip, and to add there (paper, figure 3).

    Raises:
        GeometryError: the features' pixels cannot be lined up by whole crops.
    """
    here = taps[top].field.map
    for skip in skips:
        there = taps[skip].field.map
        name = f"upscore{int(here.scale / there.scale)}"
        name = f"upscore_{plan.fusions[-1].skip}" if plan.fusions else name
        here = plan.enlarge(name, here, there)
        offsets = line_up(here, there)
        plan.fusions += (Fusion(name, skip, *offsets),)
        here = there if offsets[0] else here
    plan.end(here)


def total(
    plan: UpsamplingPlan, taps: Mapping[str, FeatureInfo], top: str, skips: Sequence[str]
) -> None:
    """Plan to enlarge every score to the image by itself, and to add there.

    Raises:
        GeometryError: a feature's pixels and the image's cannot be lined up by whole crops.
    """
    here = taps[top].field.map
    for skip in skips:
        name = f"upscore{int(here.scale)}" if plan.fusions else "upscore"
        offset = crop_offset(plan.enlarge(name, here, IMAGE), IMAGE)
        plan.fusions += (Fusion(name, skip, offset, 0),)
        here = taps[skip].field.map
    plan.end(here)


PLANS = {"cascade": cascade, "sum": total}


def planned(
    kind: Upsampling,
    fusing: Fusing,
    classes: int,
    learned: bool,
    taps: Mapping[str, FeatureInfo],
    top: str,
    skips: Sequence[str],
) -> UpsamplingPlan:
    """The plan for a network; see `create_model` for the settings."""
    plan = UpsamplingPlan(kind, classes, learned)
    PLANS[fusing](plan, taps, top, skips)
    return plan


def enlarger(
    kind: Upsampling, classes: int, here: CoordMap, goal: CoordMap, learned: bool
) -> tuple[Enlarger, CoordMap]:
    """The layer that enlarges scores at `here` until they lie on `goal`, and where they then lie.

    Args:
        kind: all but "unpooling".
        classes: score maps.
        here: where the scores lie in the image.
        goal: where what they are added to, or the image, lies.
        learned: whether training changes the layer.

    Raises:
        GeometryError: no such layer puts its pixels on the goal's.
    """
    factor = int(here.scale / goal.scale)
    if kind == "bilinear-corners":
        if not 0 <= here.shift < here.scale:
            raise GeometryError(
                f"pixels at {here} cannot be stretched from corner to corner: the first of them "
                'does not lie in the image\'s corner; use the upsampling "bilinear", which goes by '
                'where they lie, or, with VGG, padding "same"'
            )
        return CornerResize(), goal
    refused: GeometryError | None = None
    for kernel in (2 * factor - factor % 2, 2 * factor - 1):
        layer: Enlarger = (
            TransposedUpsample(classes, factor, kernel, learned)
            if kind == "transposed"
            else BilinearUpsample(factor, kernel)
        )
        reached = here @ coord_map(layer)
        try:
            line_up(reached, goal)
        except GeometryError as error:
            refused = error
            continue
        return layer, reached
    raise GeometryError(f"scores cannot be enlarged by {factor}: {refused}")
