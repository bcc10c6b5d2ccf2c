"""Which classifiers can be made fully convolutional, and how exact the result is.

Each classifier has random weights, and batch norm statistics of a batch of random images, so that
its scores depend on the image. Its dense form is compared with it on two new images of the
classifier's own size; the difference is relative to the largest score. The last column is the grid
of scores for an image that is 64 pixels higher and wider.
"""

import sys
import warnings

import torch
from torch import nn

from fullconv.errors import GeometryError
from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convert import input_size
from fullconv.networks.dense.convolutionalize import convolutionalize

NAMES = (
    *("vgg16", "alexnet", "torchvision_alexnet", "torchvision_vgg11"),
    *("torchvision_vgg13", "torchvision_vgg16", "torchvision_vgg19"),
    *("torchvision_vgg16_bn", "googlenet", "inception_v3", "resnet18", "resnet50"),
    *("densenet121", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("efficientnet_b0", "convnext_tiny", "squeezenet1_1", "shufflenet_v2_x1_0"),
    *("mnasnet1_0", "regnet_y_400mf", "vit_b_16", "swin_t", "maxvit_t"),
    *("tf_efficientnet_lite0", "timm_resnet18", "timm_vgg16_bn", "resnet50d"),
    *("timm_efficientnet_b0", "mobilenetv3_large_100", "convnextv2_atto"),
    *("timm_densenet121", "regnetx_002", "hgnetv2_b0", "ghostnet_100"),
    *("res2net50_26w_4s", "repvgg_a0", "dla34", "xception41", "vit_tiny_patch16_224"),
    *("mixer_s32_224",),
)
CLASSES = 100


def random_classifier(name: str) -> nn.Module:
    """Return a classifier in evaluation mode, with batch norm statistics of one batch."""
    torch.manual_seed(0)
    classifier = create_classifier(name, CLASSES)
    norms = [layer for layer in classifier.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.normal_(layer.bias, 0, 0.1)
    if norms:
        with torch.no_grad():
            size = input_size(classifier)
            classifier.train()(torch.randn(2, 3, size, size))
    return classifier.eval()


@torch.no_grad()
def row(name: str) -> list[str]:
    """Return the cells of one row."""
    classifier = random_classifier(name)
    try:
        dense = convolutionalize(classifier)
    except GeometryError as error:
        return [name, "", "refused", "", str(error).partition(": ")[2], ""]
    size = {"alexnet": 227}.get(name) or getattr(dense, "size", 224)
    images = torch.randn(2, 3, size, size)
    expected, found = classifier(images), dense(images)[..., 0, 0]
    largest = expected.abs().max()
    worst = float((found - expected).abs().max() / largest)
    spread = float((expected[0] - expected[1]).abs().max() / largest)
    if spread < 1e-3:
        raise SystemExit(f"{name}: its scores do not depend on the image ({spread:.1g})")
    grid = dense(torch.randn(1, 3, size + 64, size + 64))
    verdict = "exact" if worst <= 1e-5 else "WRONG"
    caveats = "; ".join(dense.caveats)
    cells = [name, str(size), verdict, f"{worst:.1e}", caveats]
    return [*cells, " x ".join(map(str, grid.shape[2:]))]


def main(names: list[str]) -> None:
    """Print the table, as Markdown."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| classifier | size | verdict | largest difference | caveats | grid at + 64 |")
    print("|---|---|---|---|---|---|")
    verdicts = []
    for name in names:
        cells = row(name)
        verdicts.append(cells[2])
        print("| " + " | ".join(cells) + " |", flush=True)
    counts = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
    print(f"\n{len(names)} classifiers: {counts}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(NAMES))
