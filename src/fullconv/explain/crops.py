"""Explain crop offsets: two rulers of pixel centres, in image coordinates, that have to meet."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fullconv.explain.svg import Drawing
from fullconv.networks.fcn import FCN
from fullconv.networks.fcn.summary import Alignment, alignments
from fullconv.networks.geometry import CoordMap
from fullconv.networks.layers import FeatureInfo

START = 320  # pixels; the smallest image that sizes are derived from
AFTER = 4  # pixels that a ruler shows after the position where both meet


@dataclass(frozen=True)
class LinearSize:
    """The rows of a map, as `slope * H + offset`; H are the rows of the coarsest pooling's map."""

    slope: int
    offset: int

    def __str__(self) -> str:
        factor = "" if self.slope == 1 else str(self.slope)
        if not self.offset:
            return f"{factor}H"
        return f"{factor}H {'+' if self.offset > 0 else '-'} {abs(self.offset)}"

    def __call__(self, h: int) -> int:
        """Return the rows if the coarsest pooling's map has `h`."""
        return self.slope * h + self.offset


@dataclass(frozen=True)
class MapRuler:
    """One map of a network.

    Attributes:
        name: of the layer whose output it is; "image" for the image.
        rows: its size, for the images that `rulers` describes.
        centre: of each pixel in the image.
    """

    name: str
    rows: LinearSize
    centre: CoordMap


@dataclass(frozen=True)
class CropRulers:
    """The maps of a network that are aligned, and the crops that align them.

    Attributes:
        maps: in the order in which they are computed; the image is the first.
        coarsest: the map whose rows are H.
        alignments: coarse to fine.
    """

    maps: tuple[MapRuler, ...]
    coarsest: str
    alignments: tuple[Alignment, ...]


def crop_rulers(network: FCN) -> CropRulers:
    """Derive sizes and coordinates of a network's maps, whatever its weights are.

    Sizes are those of the largest images whose coarsest pooling has H rows.
    """
    backbone: Any = network.backbone
    features: dict[str, FeatureInfo] = backbone.feature_info()
    coarsest = _coarsest(network, features)
    stride = int(features[coarsest].field.stride)
    least = _rows(network, START, [coarsest])[coarsest]
    low, high = START, START + stride  # the side at which that map gets another row is in between
    while high - low > 1:
        middle = (low + high) // 2
        if _rows(network, middle, [coarsest])[coarsest] == least:
            low = middle
        else:
            high = middle
    found = tuple(alignments(network))
    skips = [skip for skip in network.skips if skip != coarsest]
    names = [*reversed(skips), coarsest, network.top]
    names += [alignment.upscore for alignment in found]
    sides = (low, low + stride)
    sizes = [{"image": side, **_rows(network, side, names)} for side in sides]
    centres = {name: features[name].field.map for name in names if name in features}
    centres |= {alignment.upscore: alignment.score for alignment in found}
    maps = []
    for name in dict.fromkeys(["image", *names]):
        first, second = (size[name] for size in sizes)
        slope = second - first
        rows = LinearSize(slope, first - slope * least)
        maps.append(MapRuler(name, rows, centres.get(name, CoordMap())))
    return CropRulers(tuple(maps), coarsest, found)


def draw_rulers(rulers: CropRulers, title: str) -> str:
    """Draw the two rulers of each crop below each other as an SVG picture."""
    width, block = 760, 138
    picture = Drawing(width, 44 + block * len(rulers.alignments), f"Crop offsets of {title}")
    picture.text(24, 28, f"{title}: where two maps meet in the image", 15, style="strong")
    for number, alignment in enumerate(rulers.alignments):
        _draw_pair(picture, alignment, 44 + block * number, width)
    return picture.render()


def _draw_pair(picture: Drawing, alignment: Alignment, top: float, width: float) -> None:
    """Draw the cropped map's pixels above those of the other map, at their place in the image."""
    maps = {
        alignment.upscore: alignment.score,
        alignment.target: alignment.target_map,
    }
    wide = maps.pop(alignment.cropped)
    ((other, narrow),) = maps.items()
    offset = alignment.offset
    first, last = wide(0), wide(offset + AFTER)
    scale = (width - 230) / float(last - first)

    def across(position: Any) -> float:
        return 190 + float(position - first) * scale

    meeting = across(wide(offset))
    picture.line(meeting, top + 44, meeting, top + 82, "green-edge", 2)
    zero = across(0)
    if 190 <= zero <= width - 30 and abs(zero - meeting) > 8:
        picture.line(zero, top + 44, zero, top + 106, "muted", 1)
        picture.text(zero, top + 118, "image begins", 11, "middle", "muted")
    for y, name, ruler, count in (
        (top + 44, alignment.cropped, wide, offset + AFTER + 1),
        (top + 82, other, narrow, AFTER + 1),
    ):
        picture.text(24, y + 1, name, 14, style="strong")
        picture.text(24, y + 17, f"pixel i at {ruler}", 12, style="muted")
        picture.line(across(ruler(0)), y, across(ruler(count - 1)), y)
        every = 1 if count <= 24 else 5
        for i in range(count):
            dropped = ruler is wide and i < offset
            tone = "orange" if dropped else "blue"
            at = across(ruler(i))
            picture.dot(at, y, 5 if count <= 24 else 4, tone, f"{tone}-edge")
            crowded = every > 1 and ruler is wide and 0 < abs(i - offset) < 3
            if (i % every == 0 and not crowded) or i == offset:
                style = "orange-edge" if dropped else "ink"
                picture.text(at, y + (18 if ruler is narrow else -9), str(i), 11, "middle", style)
    text = f"drop {offset} of {alignment.cropped}: pixel {offset} meets pixel 0 of {other}"
    picture.text(24, top + 14, text, 13, style="green-edge")


def _coarsest(network: FCN, features: dict[str, FeatureInfo]) -> str:
    """Return the last pooling before the scores, or the feature of the scores without any."""
    poolings = [
        name
        for name, layer in network.backbone.named_children()
        if isinstance(layer, nn.MaxPool2d) and name in features
    ]
    stride = features[network.top].field.stride
    coarse = [name for name in poolings if features[name].field.stride == stride]
    return coarse[-1] if coarse else network.top


def _rows(network: FCN, side: int, names: list[str]) -> dict[str, int]:
    """Return the rows of each layer's output for a square image; nothing is computed."""
    backbone: Any = network.backbone
    features = [name for name in names if name in backbone.feature_info()]
    empty = torch.zeros(0, 3, side, side)  # no images: shapes are exact
    rows: dict[str, int] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda layer, inputs, output, name=name: rows.update({name: output.shape[-2]})
        )
        for name in names
        if name not in features
    ]
    try:
        with torch.inference_mode():
            found = backbone.features(empty, features)
            if hooks:
                network(empty)
    finally:
        for hook in hooks:
            hook.remove()
    return rows | {name: x.shape[-2] for name, x in found.items()}
