"""Networks by their names: fcn{32,16,8,4,2}s-{backbone}, with fresh weights."""

import re
from collections.abc import Sequence
from typing import Literal

from torch import nn

from fullconv.config import Architecture, Fusing, Normalization, Upsampling
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.backbones import backbones, create_classifier, foreign_backbone
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.fcn.network import FCN
from fullconv.networks.layers import Backbone

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
    upsampling: Upsampling = "transposed",
    learn_upsampling: bool = False,
    fusing: Fusing = "cascade",
    skip_scales: Sequence[float] | None = None,
    context: int | None = None,
    skip_context: int | None = None,
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
        upsampling: "transposed" convolution, which starts as bilinear interpolation and fades to
            zero at the edge; "bilinear" interpolation at the same places, which repeats the edge;
            "bilinear-corners", the course's align_corners=True, which stretches each score to the
            corners of its target (see `CornerResize`); "unpooling" with the poolings' indices
            and mirrored convolutions, each skip's features added (see `UnpoolingDecoder`).
        learn_upsampling: train the transposed convolutions too, as the course does; the authors
            keep them fixed.
        fusing: "cascade" enlarges a score only as far as the next skip and adds there (paper,
            figure 3); "sum" enlarges each score to the image by itself and adds there, so that
            a further skip whose scores are zero changes nothing (see `staging`).
        skip_scales: factors of the skips, coarse to fine, e.g. (0.01, 0.0001) for "at once".
        context: width of a 3x3 convolution (with batch norm and ReLU) before the coarsest scores,
            which a backbone without fc6 lacks; None is none, as in the paper.
        skip_context: width of one before each skip's scores.

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
            fusing=fusing,
            skip_scales=None if skip_scales is None else tuple(skip_scales),
            context=context,
            skip_context=skip_context,
        ),
        Normalization.checked(mean=tuple(mean), std=tuple(std), order=order),
    )


def build(architecture: Architecture, normalization: Normalization) -> FCN:
    """The network that `architecture` describes, with fresh weights."""
    stride, backbone_name = parse_name(architecture.name)
    same = architecture.padding == "same"
    settings = architecture.model_dump(include={"padding", "width", "hidden"})
    backbone: nn.Module
    if backbone_name in backbones:
        classifier = create_classifier(backbone_name, classes=1, **settings)
        backbone = headless(convolutionalize(classifier, same))  # type: ignore[arg-type]
    else:
        backbone = foreign_backbone(backbone_name, **settings)
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
