"""A small model whose predictions vary from pixel to pixel, and photos for it."""

import numpy as np
import torch

import fullconv as fc
from fullconv.io.images import write_image

CLASSES = ["sky", "road", "car", "tree"]


def write_model(path, seed=1):
    """Save an untrained network of four channels, with random score layers."""
    torch.manual_seed(seed)
    network = fc.create_model("fcn8s-vgg11_bn", len(CLASSES), width=1 / 16, hidden=8)
    for name, parameter in network.named_parameters():
        if name.startswith("score"):
            torch.nn.init.normal_(parameter, 0, 0.5)
    fc.Model(network, CLASSES).save(path)
    return path


def write_photos(folder, count, size=(20, 24)):
    """Write photos of coloured squares: photo-000.png, ..."""
    draw = np.random.default_rng(count)
    for number in range(count):
        squares = draw.integers(0, 256, (size[0] // 4, size[1] // 4, 3))
        image = np.kron(squares, np.ones((4, 4, 1), int)).astype(np.uint8)
        write_image(folder / f"photo-{number:03d}.png", image)
    return folder


def content(folder):
    """Return the bytes of every file below a folder, by relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
