"""Build a network by its name, fcn{32,16,8,4,2}s-{backbone}, with random weights."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from fullconv.config import (
    Architecture,
    Fusing,
    Normalization,
    Top,
    Upsampling,
    new_architecture,
)
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.backbones import (
    TracedBackbone,
    backbones,
    create_classifier,
    similar_name,
    traced_backbone,
)
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.fcn.network import FCN
from fullconv.networks.layers import Backbone, NamedSequential

STRIDES = ("32", "16", "8", "4", "2")
PATTERN = f"fcn{{{','.join(STRIDES)}}}s-BACKBONE, e.g. fcn8s-resnet18"
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


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
    top: Top = "block",
    upsampling: Upsampling | None = None,
    learn_upsampling: bool = False,
    fusing: Fusing = "cascade",
    skip_scales: Sequence[float] | None = None,
    context: int | None = None,
    skip_context: int | Sequence[int] | None = None,
) -> FCN:
    """Build a network: (B, 3, H, W), RGB in [0, 255] -> scores (B, classes, H, W).

    Args:
        name: fcn{32,16,8,4,2}s-{backbone}, e.g. "fcn8s-vgg16_bn".
        classes: scores per pixel.
        padding: zeros around the image; 100 in the paper's networks, "same" to keep the size.
        width: channel multiplier of all convolutions, also of fc6 and fc7 unless `hidden` is given.
        hidden: width of fc6 and fc7.
        mean: of the training images, in [0, 255], RGB order.
        std: likewise.
        order: channel order of the first convolution's input.
        top: what the coarsest scores are computed from: the last "block" of the backbone, or the
            classifier's "head", in MobileNet and EfficientNet a 1x1 convolution that widens the
            last block's output (see `TracedBackbone`).
        upsampling: "bilinear" interpolation, which repeats the edge; "transposed" convolution,
            initialized as bilinear, which adds zeros, so scores fade at the image's edges;
            "bilinear-corners", the course's (see `CornerResize`); or "unpooling" with mirrored
            convolutions (see `UnpoolingDecoder`). None is "transposed" if it is learned, or with
            the paper's padding, whose zeros lie outside of the image; else "bilinear".
        learn_upsampling: train the transposed convolutions too, as the course does; the authors
            keep them fixed.
        fusing: "cascade" upsamples a score to the next skip and adds there (paper, figure 3);
            "sum" upsamples each score to the image and adds there, so an additional skip with zero
            scores changes nothing (see `staging`).
        skip_scales: factors of the skips, coarse to fine, e.g. (0.01, 0.0001) for "at once".
        context: width of a `Context` layer before the coarsest scores; 0 for none, as in the
            paper. None is 160 for EfficientNet-Lite2, and 0 for others.
        skip_context: width of such a layer before each skip's scores, or one width for each skip,
            coarsest first; None is 48 and 0.

    Raises:
        UnknownNameError: there is no such network or backbone.
        ConfigError: a number is out of its range.
    """
    return build(
        new_architecture(
            name,
            classes,
            padding=padding,
            width=width,
            hidden=hidden,
            top=top,
            upsampling=upsampling,
            learn_upsampling=learn_upsampling,
            fusing=fusing,
            skip_scales=None if skip_scales is None else tuple(skip_scales),
            context=context,
            skip_context=skip_context
            if skip_context is None or isinstance(skip_context, int)
            else tuple(skip_context),
        ),
        Normalization.checked(mean=tuple(mean), std=tuple(std), order=order),
    )


def build(architecture: Architecture, normalization: Normalization) -> FCN:
    """Build the network that `architecture` describes, with random weights."""
    stride, backbone_name = parse_name(architecture.name)
    same = architecture.padding == "same"
    settings = architecture.model_dump(include={"padding", "width", "hidden"})
    backbone = _backbone(architecture.name, backbone_name, same, settings, architecture.top)
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
        architecture.upsampling,
        architecture.fusing,
        architecture.context,
        architecture.skip_context,
    )
    network.normalization = normalization
    network.architecture = architecture
    return network


def parse_name(name: str) -> tuple[int, str]:
    """Return stride and backbone of a network's name: 8 and "vgg16" for "fcn8s-vgg16".

    Raises:
        UnknownNameError: the name does not have this form.
    """
    match = re.fullmatch(rf"fcn({'|'.join(STRIDES)})s-(.+)", name)
    if not match:
        raise unknown_network(name)
    return int(match[1]), match[2]


def unknown_network(name: str) -> UnknownNameError:
    """Return the error for an unknown network, with the most similar name that exists."""
    parts = re.fullmatch(r"(?:fcn[-_]?(\d*)s?[-_])?(.*)", name, re.IGNORECASE)
    stride, backbone = (parts[1], parts[2]) if parts else (None, name)
    similar = similar_name(backbone)
    suggestion = f"fcn{stride if stride in STRIDES else 8}s-{similar}" if similar else None
    return UnknownNameError("network", name, expected=PATTERN, suggestion=suggestion)


def _backbone(
    name: str, backbone: str, same: bool, settings: dict[str, Any], top: Top
) -> NamedSequential | TracedBackbone:
    if backbone in backbones:
        classifier = create_classifier(backbone, classes=1, **settings)
        assert isinstance(classifier, NamedSequential)
        return headless(convolutionalize(classifier, same))
    try:
        return traced_backbone(backbone, **settings, top=top)
    except UnknownNameError as error:
        raise unknown_network(name) from error


def _skips(backbone: Backbone, stride: int, name: str) -> tuple[str, ...]:
    """Return the features to fuse, coarse to fine: one at each stride down to `stride`."""
    skips = []
    skip_stride = int(backbone.feature_info()[backbone.top].field.stride) // 2
    while skip_stride >= stride:
        skip = backbone.skip(skip_stride)
        if skip is None:
            raise ConfigError(f"{name}: the backbone has no feature at stride {skip_stride}")
        skips.append(skip)
        skip_stride //= 2
    return tuple(skips)
