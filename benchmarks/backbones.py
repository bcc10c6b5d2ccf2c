"""FCN-8s on torchvision and timm backbones: `python benchmarks/backbones.py`.

Parameters, multiply-adds for a 512 x 512 image, the derived crop offsets, the receptive field of
the coarsest feature, and whether the derived receptive fields of that feature and of the skips
agree with those measured by gradients. "unbounded": a layer such as squeeze-and-excitation averages
over the whole image, so every pixel has an influence and gradients measure no field.
"""

import sys
import warnings

import torch

from fullconv.config import Architecture, Normalization
from fullconv.errors import GeometryError
from fullconv.explain.receptive_field import measure_field
from fullconv.networks.fcn import create_model
from fullconv.networks.fcn.summary import on_meta, summarize

NAMES = (
    *("vgg16", "vgg16_bn", "alexnet", "resnet18", "resnet50", "densenet121", "googlenet"),
    *("inception_v3", "mobilenet_v2", "mobilenet_v3_large", "squeezenet1_1"),
    *("shufflenet_v2_x1_0", "mnasnet1_0", "regnet_y_400mf", "efficientnet_b0"),
    *("convnext_tiny", "tf_efficientnet_lite0", "resnet50d", "hgnetv2_b0", "regnetx_002"),
    *("repvgg_a0", "dla34", "convnextv2_atto", "ghostnet_100", "vit_b_16", "swin_t"),
)
CLASSES = 21


def row(name: str) -> list[str]:
    """Return the cells of one row."""
    model = f"fcn8s-{name}"
    try:
        network = create_model(model, CLASSES)
    except GeometryError as error:
        return [name, "", "", "", "", f"refused: {str(error).partition(': ')[2]}"]
    flat = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    shapes = on_meta(Architecture(name=model, classes=CLASSES), flat)
    cost = sum(layer.multiply_adds for layer in summarize(shapes, 512, 512))
    info = network.backbone.feature_info()
    features = (network.top, *network.skips)
    bounded = [name for name in features if info[name].field.bounded]
    agreeing = [
        measure_field(network.backbone, name) == (info[name].field, info[name].field)
        for name in bounded
    ]
    verdict = f"{sum(agreeing)} of {len(agreeing)} agree" if agreeing else ""
    if len(bounded) < len(features):
        verdict = ", ".join(filter(None, [verdict, f"{len(features) - len(bounded)} unbounded"]))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    offsets = ", ".join(map(str, network.offsets()))
    top = info[network.top].field
    return [
        name,
        f"{parameters / 1e6:.1f} M",
        f"{cost / 1e9:.1f} G",
        offsets,
        str(top.size),
        verdict,
    ]


def main(names: list[str]) -> None:
    """Print the table, as Markdown."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| FCN-8s on | parameters | multiply-adds | crop offsets | receptive field | measured |")
    print("|---|---|---|---|---|---|")
    for name in names:
        print("| " + " | ".join(row(name)) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(NAMES))
