"""Build a network by its name, fcn{32,16,8,4,2}s-{backbone}, with random weights."""

import re
from collections.abc import Sequence
from typing import Literal

from fullconv.config import (
    RGB,
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
from fullconv.networks.input_channels import set_input_channels
from fullconv.networks.layers import Backbone, NamedSequential
from fullconv.networks.streams import Streams

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
    pyramid: int | None = None,
    channels: int | None = None,
    streams: Sequence[int] | None = None,
) -> FCN:
    """Build a network: (B, channels, H, W) in [0, 255] -> scores (B, classes, H, W).

    Args:
        name: fcn{32,16,8,4,2}s-{backbone}, e.g. "fcn8s-vgg16_bn".
        classes: scores per pixel.
        padding: zeros around the image; 100 in the paper's networks, "same" to keep the size.
        width: channel multiplier of all convolutions, also of fc6 and fc7 unless `hidden` is given.
        hidden: width of fc6 and fc7.
        mean: of each channel of the training images, in [0, 255]: red, green, blue, then others;
            channels without a mean get that of the three.
        std: likewise.
        order: order of red, green and blue in the first convolution's input.
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
        pyramid: width of each mean of a `Pyramid` layer at the coarsest stride; None and 0 for
            none.
        channels: of the image: red, green and blue, and any number after them, such as depth. None
            is 3, or the sum of the streams'.
        streams: channels of each of several backbones, whose scores are added (late fusion): (3, 3)
            for a photo and an HHA image. None is one backbone for all channels.

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
            skip_scales=skip_scales,
            context=context,
            skip_context=skip_context,
            pyramid=pyramid or None,
            channels=channels or (sum(streams) if isinstance(streams, Sequence) else RGB),
            streams=streams,
        ),
        _normalization(mean, std, order),
    )


def _normalization(mean: Sequence[float], std: Sequence[float], order: str) -> Normalization:
    """Return the normalization of a new network.

    Raises:
        ConfigError: the numbers are out of their range, or seem to be those of images in [0, 1].
    """
    found = Normalization.checked(mean=mean, std=std, order=order)
    if max(found.std) < 1:
        raise ConfigError(
            f"std is {', '.join(f'{value:g}' for value in found.std)}, as for images in [0, 1]; "
            "expected mean and std of images in [0, 255]: multiply both by 255"
        )
    return found


def build(architecture: Architecture, normalization: Normalization) -> FCN:
    """Build the network that `architecture` describes, with random weights."""
    stride, backbone_name = parse_name(architecture.name)
    if len(normalization.mean) > architecture.channels:
        raise ConfigError(
            f"mean and std of {len(normalization.mean)} channels for an image of "
            f"{architecture.channels}; give one of each for every channel"
        )
    backbone = _streams(architecture, backbone_name)
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
        architecture.pyramid,
    )
    network.normalization = normalization.for_channels(architecture.channels)
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


def _streams(
    architecture: Architecture, backbone: str
) -> NamedSequential | TracedBackbone | Streams:
    """Return the backbone of all channels, or one for each of the streams."""
    if not architecture.streams:
        return _backbone(architecture, backbone, architecture.channels)
    parts = [_backbone(architecture, backbone, channels) for channels in architecture.streams]
    return Streams(parts, architecture.streams)


def _backbone(
    architecture: Architecture, name: str, channels: int
) -> NamedSequential | TracedBackbone:
    built = _of_photos(architecture, name)
    set_input_channels(built, channels)
    return built


def _of_photos(architecture: Architecture, backbone: str) -> NamedSequential | TracedBackbone:
    same = architecture.padding == "same"
    settings = architecture.model_dump(include={"padding", "width", "hidden"})
    if backbone in backbones:
        classifier = create_classifier(backbone, classes=1, **settings)
        assert isinstance(classifier, NamedSequential)
        return headless(convolutionalize(classifier, same))
    try:
        return traced_backbone(backbone, **settings, top=architecture.top)
    except UnknownNameError as error:
        raise unknown_network(architecture.name) from error


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
