"""A model whose answers differ from pixel to pixel, and photos to ask it about."""

import numpy as np
import torch

import fullconv as fc
from fullconv.io.images import write_image

CLASSES = ["sky", "road", "car", "tree"]


def write_model(path, seed=0):
    """A network of four channels, untrained: what it says means nothing, but is never constant."""
    torch.manual_seed(seed)
    network = fc.create_model("fcn8s-vgg11_bn", len(CLASSES), width=1 / 16, hidden=8)
    for name, parameter in network.named_parameters():
        if name.startswith("score"):
            torch.nn.init.normal_(parameter, 0, 0.5)
    fc.Model(network, CLASSES).save(path)
    return path


def write_photos(folder, count, size=(20, 24)):
    """Photos of coloured squares: photo-000.png, ..."""
    draw = np.random.default_rng(count)
    for number in range(count):
        squares = draw.integers(0, 256, (size[0] // 4, size[1] // 4, 3))
        image = np.kron(squares, np.ones((4, 4, 1), int)).astype(np.uint8)
        write_image(folder / f"photo-{number:03d}.png", image)
    return folder


def content(folder):
    """Every file below a folder, by its path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
