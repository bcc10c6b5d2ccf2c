"""The fully convolutional network: a dense classifier, its layers' scores fused at any stride.

FCN-32s, -16s, -8s and -4s (paper, section 4) are one class with 0, 1, 2 and 3 skips.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.backbones import create_classifier
from fullconv.config import Architecture, Normalisation
from fullconv.errors import ConfigError, GeometryError, UnknownNameError
from fullconv.geometry import CoordMap, coord_map, crop_offset, line_up
from fullconv.layers import Backbone, Normalise, Tap, Upscore, crop
from fullconv.surgery import convolutionalize, headless

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Fusion:
    """One step from coarse to fine: enlarge the score, add a skip's score where they meet.

    Attributes:
        upscore: name of the upsampling layer.
        skip: name of the feature whose score is added.
        score_offset: pixels to drop from the enlarged score.
        skip_offset: pixels to drop from the skip (5 and 9 in the paper's networks).
    """

    upscore: str
    skip: str
    score_offset: int
    skip_offset: int


class FCN(nn.Module):
    """RGB image in [0, 255] -> score of every class at every pixel, for any size from 1 x 1.

    Args:
        backbone: a dense classifier without its scores (`convolutionalize`, `headless`).
        classes: how many scores a pixel gets.
        skips: features to fuse, coarse to fine; () is FCN-32s, ("pool4", "pool3") FCN-8s.
        skip_scales: feature -> factor before its score layer ("at once": 0.01 and 0.0001).
        learn_upsampling: train the upsampling (the course) or keep it bilinear (the paper).

    Raises:
        GeometryError: the features' pixels cannot be lined up by whole crops.
    """

    def __init__(
        self,
        backbone: nn.Module,
        classes: int,
        skips: Sequence[str] = (),
        skip_scales: Mapping[str, float] | None = None,
        learn_upsampling: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = classes
        self.skips = tuple(skips)
        self.skip_scales = dict(skip_scales or {})
        self.architecture: Architecture | None = None  # set where it was built by name
        self.fusions: tuple[Fusion, ...] = ()
        taps: dict[str, Tap] = self._backbone.taps()
        self.top: str = self._backbone.top

        self.score_fr = nn.Conv2d(taps[self.top].width, classes, 1)
        self.normalisation = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))
        here = taps[self.top].field.map
        for skip in self.skips:
            there = taps[skip].field.map
            factor = int(here.scale / there.scale)
            name = f"upscore_{self.fusions[-1].skip}" if self.fusions else f"upscore{factor}"
            here = self._upsample(name, factor, here, there, learn_upsampling)
            self.add_module(f"score_{skip}", nn.Conv2d(taps[skip].width, classes, 1))
            offsets = line_up(here, there)
            self.fusions += (Fusion(name, skip, *offsets),)
            here = there if offsets[0] else here
        stride = int(here.scale)
        self.final = f"upscore{stride}" if self.fusions else "upscore"
        here = self._upsample(self.final, stride, here, CoordMap(), learn_upsampling)
        self.offset = crop_offset(here, CoordMap())
        for layer in self.score_layers():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        """Scores before softmax, one map a class, of the image's size."""
        features = self._backbone.features(self.normalise(image), (*self.skips, self.top))
        score = self.score_fr(features[self.top])
        for fusion in self.fusions:  # coarse to fine
            score = self.get_submodule(fusion.upscore)(score)
            score = self._fuse(fusion, score, self._skip_score(fusion.skip, features[fusion.skip]))
        return crop(self.get_submodule(self.final)(score), self.offset, image.shape[-2:])

    def score_layers(self) -> Iterator[nn.Conv2d]:
        """The layers that turn features into scores, coarse to fine."""
        yield self.score_fr
        for skip in self.skips:
            layer = self.get_submodule(f"score_{skip}")
            assert isinstance(layer, nn.Conv2d)
            yield layer

    def offsets(self) -> tuple[int, ...]:
        """The crops, coarse to fine: 5, 9, 31 for the paper's FCN-8s."""
        return (*(f.skip_offset or f.score_offset for f in self.fusions), self.offset)

    @property
    def normalisation(self) -> Normalisation:
        """What the first convolution expects of an image."""
        return self._normalisation

    @normalisation.setter
    def normalisation(self, wanted: Normalisation) -> None:
        self._normalisation = wanted
        device = self.score_fr.weight.device
        with torch.device("cpu" if device.type == "meta" else device):
            self.normalise = Normalise(wanted.mean, wanted.std, wanted.order)

    @property
    def _backbone(self) -> Backbone:
        return self.backbone  # type: ignore[return-value]

    def _upsample(
        self, name: str, factor: int, here: CoordMap, there: CoordMap, learned: bool
    ) -> CoordMap:
        """Add the upsampling layer whose pixels meet `there`'s, and give their map."""
        refused: GeometryError | None = None
        for kernel in (2 * factor - factor % 2, 2 * factor - 1):
            layer = Upscore(self.classes, factor, kernel, learned)
            enlarged = here @ coord_map(layer)
            try:
                line_up(enlarged, there)
            except GeometryError as error:
                refused = error
                continue
            self.add_module(name, layer)
            return enlarged
        raise GeometryError(f"{name} cannot enlarge by {factor}: {refused}")

    def _skip_score(self, skip: str, feature: Tensor) -> Tensor:
        scale = self.skip_scales.get(skip)
        score: Tensor = self.get_submodule(f"score_{skip}")(
            feature if scale is None else feature * scale
        )
        return score

    @staticmethod
    def _fuse(fusion: Fusion, score: Tensor, skip: Tensor) -> Tensor:
        if fusion.skip_offset:  # the paper's padding: the skip reaches further than the score
            return score + crop(skip, fusion.skip_offset, score.shape[-2:], fusion.skip)
        return crop(score, fusion.score_offset, skip.shape[-2:], fusion.upscore) + skip


def create_model(
    name: str,
    classes: int,
    *,
    padding: Literal["same"] | int = "same",
    width: float = 1.0,
    hidden: int | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    order: Literal["rgb", "bgr"] = "rgb",
    upsampling: Literal["transposed"] = "transposed",
    learn_upsampling: bool = False,
    skip_scales: Sequence[float] | None = None,
) -> FCN:
    """A network by name, with fresh weights.

    Args:
        name: fcn{32,16,8,4,2}s-{backbone}, e.g. "fcn8s-vgg16_bn".
        classes: scores a pixel gets.
        padding: zeros around the image; 100 in the paper's networks, "same" wastes none.
        width: multiplies the widths of all convolutions, and of fc6 and fc7 unless `hidden`.
        hidden: width of fc6 and fc7.
        mean: of the training images, in [0, 255], RGB order.
        std: likewise.
        order: channel order that the first convolution sees.
        upsampling: "transposed" convolution, which starts as bilinear interpolation.
        learn_upsampling: train the upsampling too, as the course does; the authors keep it fixed.
        skip_scales: factors of the skips, coarse to fine, e.g. (0.01, 0.0001) for "at once".

    Returns:
        (B, 3, H, W), RGB in [0, 255] -> scores (B, classes, H, W).

    Raises:
        UnknownNameError: no such network or backbone.
        ConfigError: a number out of its range.
    """
    return build(
        Architecture.checked(
            name=name,
            classes=classes,
            padding=padding,
            width=width,
            hidden=hidden,
            upsampling=upsampling,
            learn_upsampling=learn_upsampling,
            skip_scales=None if skip_scales is None else tuple(skip_scales),
        ),
        Normalisation.checked(mean=tuple(mean), std=tuple(std), order=order),
    )


def build(architecture: Architecture, normalisation: Normalisation) -> FCN:
    """The network that `architecture` describes, with fresh weights."""
    stride, backbone_name = parse_name(architecture.name)
    same = architecture.padding == "same"
    classifier = create_classifier(
        backbone_name,
        classes=1,
        padding=1 if same else architecture.padding,
        width=architecture.width,
        hidden=architecture.hidden,
    )
    backbone = headless(convolutionalize(classifier, same))  # type: ignore[arg-type]
    skips = _skips(backbone, stride, architecture.name)
    scales = architecture.skip_scales or ()
    if scales and len(scales) != len(skips):
        raise ConfigError(
            f"skip_scales has {len(scales)} factors; {architecture.name} has {len(skips)} skips "
            f"({', '.join(skips) or 'none'})"
        )
    network = FCN(
        backbone,
        architecture.classes,
        skips,
        dict(zip(skips, scales, strict=False)),
        architecture.learn_upsampling,
    )
    network.normalisation = normalisation
    network.architecture = architecture
    return network


def parse_name(name: str) -> tuple[int, str]:
    """Stride and backbone of a network's name: "fcn8s-vgg16" is 8 and "vgg16".

    Raises:
        UnknownNameError: it is not of this form.
    """
    match = re.fullmatch(r"fcn(32|16|8|4|2)s-(.+)", name)
    if not match:
        example = ["fcn32s-vgg16", "fcn16s-vgg16", "fcn8s-vgg16", "fcn4s-vgg16_bn"]
        raise UnknownNameError("network", name, example)
    return int(match[1]), match[2]


def _skips(backbone: Backbone, stride: int, name: str) -> tuple[str, ...]:
    coarsest = int(backbone.taps()[backbone.top].field.stride)
    found = []
    wanted = coarsest // 2
    while wanted >= stride:
        skip = backbone.skip(wanted)
        if skip is None:
            raise ConfigError(f"{name}: the backbone has no feature at stride {wanted} to fuse")
        found.append(skip)
        wanted //= 2
    return tuple(found)
