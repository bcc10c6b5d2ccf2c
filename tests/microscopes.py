"""Pages of the network microscope with small networks, and what PyTorch computes for them."""

import numpy as np
import torch
import torch.nn.functional as F

import fullconv as fc
from fullconv.explain.microscope.page import assemble
from fullconv.explain.microscope.record import Plan, record

CHAMBERS = ("dense", "bilinear", "transposed", "checkerboard", "unpooling", "skips", "crops",
            "field", "network")  # fmt: skip
EXACT = 1e-5  # of the largest value
CLASSES = ("sky", "road", "car", "tree")


def model(name="fcn8s-vgg11_bn", classes=CLASSES, **settings):
    """Return an untrained model whose scores, running statistics and upsampling vary."""
    torch.manual_seed(3)
    settings = {"width": 1 / 16, "hidden": 8} | settings
    network = fc.create_model(name, len(classes), **settings).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.5, 0.5)
            layer.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, -0.2, 0.2)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, 0, 0.5)
        torch.nn.init.normal_(layer.bias, 0, 0.1)
    return fc.Model(network, classes)


def learn_upsampling(made):
    """Change the kernels of a network whose upsampling is learned."""
    with torch.no_grad():
        for layer in made.network.modules():
            if isinstance(layer, torch.nn.ConvTranspose2d):
                layer.weight.add_(0.01 * torch.randn_like(layer.weight))
    return made


def photo(height=70, width=90, seed=0):
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (height // 10 + 1, width // 10 + 1, 3))
    return np.kron(coarse, np.ones((10, 10, 1), int))[:height, :width].astype(np.uint8)


def batch(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()


def write_page(path, made, image, live=True):
    """Write the page of a model on a photo that is not scaled."""
    plan = Plan(max(image.shape), live, 6, 3)
    path.write_text(assemble(record(made, image, plan, "tiny")), encoding="utf-8")
    return path


def difference(found, expected):
    """Return the largest difference, as a share of the largest expected value."""
    expected = np.asarray(expected, np.float64)
    found = np.asarray(found, np.float64).reshape(expected.shape)
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


def convolved(x, kernel, stride):
    """Return PyTorch's transposed convolution of rows of numbers."""
    x, kernel = (torch.tensor(rows, dtype=torch.float64)[None, None] for rows in (x, kernel))
    return F.conv_transpose2d(x, kernel, stride=stride)[0, 0]
