"""Small networks with random scores, and photos, for tests of exported files."""

import numpy as np
import torch

import fullconv as fc

CLASSES = ("road", "sky", "tree")
SIZES = ((1, 1), (1, 7), (3, 2), (15, 17), (33, 31), (64, 47))


def network(name="fcn8s-vgg11", **settings):
    if "vgg" in name:
        settings = {"width": 1 / 32, "hidden": 4} | settings
    torch.manual_seed(3)
    made = fc.create_model(name, len(CLASSES), **settings).eval()
    for layer in made.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.3)
        torch.nn.init.normal_(layer.bias)
    for layer in made.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 2)
    return made


def model(name="fcn8s-vgg11", size=None, **settings):
    return fc.Model(network(name, **settings), CLASSES, size=size)


def photos(*sizes):
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes or ((70, 90),)]


def batch(count, height, width):
    random = np.random.default_rng(height * 1000 + width)
    return random.uniform(0, 255, (count, 3, height, width)).astype(np.float32)


def scores(net, image):
    with torch.no_grad():
        return net(torch.from_numpy(image)).numpy()


def max_difference(net, run, sizes=SIZES, count=2):
    """Return the largest difference over sizes, relative to the largest score."""
    largest = 0.0
    for size in sizes:
        image = batch(count, *size)
        expected, found = scores(net, image), run(image)
        assert found.shape == expected.shape == (count, len(CLASSES), *size)
        largest = max(largest, np.abs(expected - found).max() / np.abs(expected).max())
    return largest


def names_this_machine(content):
    """Return whether a file's bytes name folders of the machine that it was written on."""
    return any(word in content for word in (b"site-packages", b"/src/", b"/tests/", b".py"))
