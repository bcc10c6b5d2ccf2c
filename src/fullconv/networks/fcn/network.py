"""The fully convolutional network: a dense classifier whose layers' scores are fused.

FCN-32s, -16s, -8s and -4s (paper, section 4) are one class with 0, 1, 2 and 3 skips.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.config import Architecture, Fusing, Normalization, Upsampling
from fullconv.errors import ConfigError
from fullconv.networks.fcn.unpooling import UnpoolingDecoder
from fullconv.networks.fcn.upsampling import Fusion, plan_upsampling
from fullconv.networks.layers import (
    Backbone,
    Context,
    CornerResize,
    FeatureInfo,
    NamedSequential,
    Normalize,
    Sides,
    crop,
)
from fullconv.networks.padding import sparse
from fullconv.networks.pyramid import Pyramid


class OptimizedBackbone(Protocol):
    """What `inference.cpu.optimize` runs in place of a backbone for inference.

    Attributes:
        backbone: the one that it runs in place of.
    """

    backbone: nn.Module

    def can_run(self, x: Tensor, names: Iterable[str]) -> bool:
        """Return whether it gives the backbone's features for this input now."""

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """See `Backbone`."""


class Engine(Protocol):
    """What `engines` lets compute the scores in place of the layers.

    Attributes:
        most_pixels: pixels of the largest image that it computes at once.
    """

    most_pixels: int

    def can_run(self, network: object, image: Tensor) -> bool:
        """Return whether it gives the scores of `network` for this image now."""

    def is_current(self) -> bool:
        """Return whether the layers and weights are still those that it computes."""

    def scores(self, image: Tensor) -> Tensor:
        """Return the scores of an image (1, 3, H, W)."""

    def takes(self, size: tuple[int, ...]) -> bool:
        """Return whether it computes images of this (height, width)."""

    def takes_planes(self, size: tuple[int, ...]) -> bool:
        """Return whether an image of this (height, width) is best given as one plane per channel.

        A layout of pixels is converted for it.
        """

    def peak(self, size: tuple[int, int]) -> int:
        """Return the bytes that an image of this (height, width) takes, besides the weights."""

    def note(self, size: tuple[int, int]) -> str:
        """Return why the layers compute an image of this size, for users; "" if they do not."""


class FCN(nn.Module):
    """Score every class at every pixel of an image in [0, 255], of any size from 1 x 1.

    The image's channels are red, green, blue and any number of others (see `create_model`).

    Args:
        backbone: a dense classifier without its scores (`convolutionalize`, `headless`).
        classes: scores per pixel.
        skips: features to fuse, coarse to fine; () is FCN-32s, ("pool4", "pool3") FCN-8s.
        skip_scales: feature -> factor before its score layer ("at once": 0.01 and 0.0001).
        learn_upsampling: train the upsampling (the course) or keep it bilinear (the paper).
        upsampling: see `create_model`.
        fusing: likewise.
        context: likewise.
        skip_context: likewise.
        pyramid: likewise.

    Raises:
        GeometryError: no whole crops align the features' pixels.
        ConfigError: unpooling cannot mirror the backbone, or the upsampling has no weights to
            learn.
    """

    def __init__(
        self,
        backbone: nn.Module,
        classes: int,
        skips: Sequence[str] = (),
        skip_scales: Mapping[str, float] | None = None,
        learn_upsampling: bool = False,
        upsampling: Upsampling = "transposed",
        fusing: Fusing = "cascade",
        context: int | None = None,
        skip_context: int | Sequence[int] | None = None,
        pyramid: int | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classes = classes
        self.skips = tuple(skips)
        self.skip_scales = dict(skip_scales or {})
        self.upsampling, self.fusing = upsampling, fusing
        self.architecture: Architecture | None = None  # set if it was built by name
        self.fusions: tuple[Fusion, ...] = ()
        self.mirror: UnpoolingDecoder | None = None
        self.final, self.offset = "", 0
        self.optimized_backbone: OptimizedBackbone | None = None  # see `inference.cpu.optimize`
        self.engine: Engine | None = None  # see `engines`
        # False computes all of a wide padding, with the same result; see `networks.padding.sparse`.
        self.sparse_padding = True
        skip_widths = _of_each(skip_context, self.skips)
        _check(upsampling, fusing, learn_upsampling, bool(context or pyramid or any(skip_widths)))
        self.top: str = self._backbone.top
        self._add_contexts(context, skip_widths, pyramid)
        features = self.feature_info()
        if upsampling == "unpooling":
            self.mirror = UnpoolingDecoder(backbone, features[self.top].width, self.skips)
        self._add_scores(features)
        if upsampling != "unpooling":
            settings = (upsampling, fusing, classes, learn_upsampling)
            plan = plan_upsampling(*settings, features, self.top, self.skips)
            self.fusions, self.final, self.offset = plan.fusions, plan.final, plan.offset
            for name, layer in plan.layers.items():
                self.add_module(name, layer)
        self.normalization = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
        for score in self.score_layers():
            nn.init.zeros_(score.weight)
            nn.init.zeros_(score.bias)  # type: ignore[arg-type]

    def forward(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """Return scores before softmax, one map per class, of the image's size.

        Raises:
            ImageError: the image's dimensions, channels or type are not the network's.
        """
        if self.engine is not None and self.engine.can_run(self, image):
            return self.engine.scores(image)
        return self.scores(self.features(image), image.shape[-2:])

    def features(self, image: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
        """Return the backbone's maps that scores are computed from, by their layers' names."""
        pooled = self.mirror.inputs.values() if self.mirror else ()
        return self._features(self.normalize(image), (*self.skips, self.top, *pooled))

    def scores(self, features: Mapping[str, Tensor], size: Sides) -> Float[Tensor, "B K H W"]:
        """Return the scores of an image of this size from its `features`."""
        skips = {skip: self._skip_score(skip, features[skip]) for skip in self.skips}
        if self.mirror:
            decoded: Tensor = self.score_fr(self.mirror(features[self.top], features, skips))
            return decoded
        score: Tensor = self.score_fr(self._with_context("fr", features[self.top]))
        return self._fused(score, skips, size)

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return each feature's width and receptive field, after pyramid and context layers."""
        info = self._backbone.feature_info()
        for feature, suffix in ((self.top, "fr"), *((skip, skip) for skip in self.skips)):
            for layer in self._before_score(suffix):
                info[feature] = layer.after(info[feature])
        return info

    def score_layers(self) -> Iterator[nn.Conv2d]:
        """Yield the layers that turn features into scores, coarse to fine."""
        yield self.score_fr
        for skip in self.skips:
            layer = self.get_submodule(f"score_{skip}")
            assert isinstance(layer, nn.Conv2d)
            yield layer

    def offsets(self) -> tuple[int, ...]:
        """Return the crop offsets, coarse to fine: 5, 9, 31 for the paper's FCN-8s."""
        return (*(f.skip_offset or f.score_offset for f in self.fusions), self.offset)

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return len(self.normalization.mean)

    @property
    def normalization(self) -> Normalization:
        """Mean, std and channel order that the first convolution expects."""
        return self._normalization

    @normalization.setter
    def normalization(self, wanted: Normalization) -> None:
        self._normalization = wanted
        device = self.score_fr.weight.device
        with torch.device("cpu" if device.type == "meta" else device):
            self.normalize = Normalize(wanted.mean, wanted.std, wanted.order)
        if self.score_fr.weight.dtype == torch.float64:
            self.normalize.double()

    @property
    def _backbone(self) -> Backbone:
        return self.backbone  # type: ignore[return-value]

    def _features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        optimized = self.optimized_backbone
        if optimized and optimized.backbone is self.backbone and optimized.can_run(x, names):
            return optimized.features(x, names)
        if self.sparse_padding and isinstance(self.backbone, NamedSequential):
            return sparse.features(self.backbone, x, names)
        return self._backbone.features(x, names)

    def _fused(self, score: Tensor, skips: Mapping[str, Tensor], size: Sides) -> Tensor:
        """Fuse the scores of all strides, at the image's size."""
        summands = []  # scores of the image's size
        for fusion in self.fusions:  # coarse to fine
            skip = skips[fusion.skip]
            if self.fusing == "sum":
                upsampled = self._upsample(fusion.upscore, score, size)
                summands.append(crop(upsampled, fusion.score_offset, size, fusion.upscore))
                score = skip
            else:
                score = self._fuse(fusion, score, skip)
        summands.append(
            crop(self._upsample(self.final, score, size), self.offset, size, self.final)
        )
        return sum(summands[1:], summands[0])  # coarse to fine: adding zeros last is exact

    def _upsample(self, name: str, score: Tensor, size: Sides) -> Tensor:
        layer = self.get_submodule(name)
        upsampled: Tensor = layer(score, size) if isinstance(layer, CornerResize) else layer(score)
        return upsampled

    def _add_contexts(
        self, context: int | None, skip_widths: Sequence[int], pyramid: int | None
    ) -> None:
        widths = {name: info.width for name, info in self._backbone.feature_info().items()}
        if pyramid:
            self.pyramid_fr = Pyramid(widths[self.top], pyramid)
            widths[self.top] += pyramid * len(self.pyramid_fr.windows)
        for feature, suffix, width in (
            (self.top, "fr", context),
            *zip(self.skips, self.skips, skip_widths, strict=True),
        ):
            if width:
                self.add_module(f"context_{suffix}", Context(widths[feature], width))

    def _add_scores(self, features: Mapping[str, FeatureInfo]) -> None:
        wide = features[self.top].width
        self.score_fr = nn.Conv2d(self.mirror.width if self.mirror else wide, self.classes, 1)
        for skip in self.skips:
            wide = features[skip].width
            scores = wide if self.mirror else self.classes
            self.add_module(f"score_{skip}", nn.Conv2d(wide, scores, 1))

    def _with_context(self, suffix: str, feature: Tensor) -> Tensor:
        for layer in self._before_score(suffix):
            feature = layer(feature)
        return feature

    def _before_score(self, suffix: str) -> Iterator[Pyramid | Context]:
        """Yield the layers between a feature and its score layer."""
        for kind in ("pyramid", "context"):
            layer = self._modules.get(f"{kind}_{suffix}")
            if isinstance(layer, Pyramid | Context):
                yield layer

    def _skip_score(self, skip: str, feature: Tensor) -> Tensor:
        scale = self.skip_scales.get(skip)
        feature = self._with_context(skip, feature)
        score: Tensor = self.get_submodule(f"score_{skip}")(
            feature if scale is None else feature * scale
        )
        return score

    def _fuse(self, fusion: Fusion, score: Tensor, skip: Tensor) -> Tensor:
        score = self._upsample(fusion.upscore, score, skip.shape[-2:])
        if fusion.skip_offset:  # with the paper's padding the skip is larger than the score
            return score + crop(skip, fusion.skip_offset, score.shape[-2:], fusion.skip)
        return crop(score, fusion.score_offset, skip.shape[-2:], fusion.upscore) + skip


def _of_each(width: int | Sequence[int] | None, skips: Sequence[str]) -> tuple[int, ...]:
    """Return the width of each skip's context layer; 0 for none.

    Raises:
        ConfigError: there are more or fewer widths than skips.
    """
    if width is None or isinstance(width, int):
        return (width or 0,) * len(skips)
    if len(width) != len(skips):
        raise ConfigError(
            f"skip_context has {len(width)} widths; the network has {len(skips)} skips "
            f"({', '.join(skips) or 'none'}), coarsest first"
        )
    return tuple(width)


def _check(upsampling: Upsampling, fusing: Fusing, learn_upsampling: bool, context: bool) -> None:
    """Refuse settings that exclude each other."""
    if learn_upsampling and upsampling != "transposed":
        raise ConfigError(f'learn_upsampling needs upsampling "transposed", not "{upsampling}"')
    if fusing == "sum" and upsampling == "unpooling":
        raise ConfigError('fusing "sum" has no effect with "unpooling", which fuses no scores')
    if upsampling == "unpooling" and context:
        raise ConfigError(
            'context and pyramid have no effect with "unpooling", which scores no features'
        )
