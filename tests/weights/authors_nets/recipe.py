"""The authors' nets of several inputs or heads, narrow, with reproducible weights and images."""

from math import log

import numpy as np

DEPTHS = (2, 2, 3, 3, 3)  # convolutions of VGG-16's blocks
WIDTHS = (4, 8, 16, 32, 32)
HIDDEN = 16
CLASSES = {"sem": 5, "geo": 3}  # of SIFT Flow's heads
SIZE = (21, 35)
NYUD = ("nyud-fcn32s-color-d", "nyud-fcn32s-hha", "nyud-fcn32s-color-hha")
SIFTFLOW = ("siftflow-fcn32s", "siftflow-fcn16s", "siftflow-fcn8s")

# In the data layers' order: blue, green, red, then the others (nyud_layers.py, siftflow_layers.py).
NYUD_BGR = (116.190, 97.203, 92.318)
HHA = (132.431, 94.076, 118.477)
LOG_DEPTH = 7.844
SIFTFLOW_BGR = (114.578, 115.294, 108.353)


def layers(net):
    """Return the weights of a net by layer: {"conv1_1": [weight, bias], "upscore": [weight]}."""
    draw = np.random.default_rng(7)
    shapes = {}
    if net == "nyud-fcn32s-color-d":
        shapes |= _backbone(4, "", first="conv1_1_bgrd") | {"score_fr": (5, HIDDEN, 1)}
        shapes["upscore"] = (5, 64)
    elif net == "nyud-fcn32s-hha":
        shapes |= _backbone(3, "") | {"score_fr": (5, HIDDEN, 1), "upscore": (5, 64)}
    elif net == "nyud-fcn32s-color-hha":
        for stream in ("color", "hha"):
            shapes |= _backbone(3, stream) | {f"score_fr{stream}": (5, HIDDEN, 1)}
        shapes["upscore"] = (5, 64)
    else:
        shapes |= _backbone(3, "")
        for head, classes in CLASSES.items():
            shapes |= {f"{name}_{head}": s for name, s in _scores(net, classes).items()}
    return {name: _draw(draw, shape) for name, shape in shapes.items()}


def image(net):
    """Return the net's image as the data set holds it: channels (H, W) by name, and millimetres."""
    draw = np.random.default_rng(11)
    channels = draw.integers(0, 256, (6, *SIZE)).astype(np.float32)
    depth = draw.integers(600, 9000, SIZE).astype(np.float32)
    found = {"rgb": channels[:3]}
    if net.endswith("-d"):
        found["depth"] = depth
    elif net.endswith("hha"):
        found["hha"] = channels[3:]
    return found


def blobs(net):
    """Return the net's inputs as the authors' data layers give them, by name, (1, C, H, W)."""
    found = image(net)
    means = SIFTFLOW_BGR if net in SIFTFLOW else NYUD_BGR
    color = found["rgb"][::-1] - np.float32(means)[:, None, None]
    if net.endswith("color-d"):
        depth = np.log(found["depth"])[None] - np.float32(LOG_DEPTH)
        return {"data": np.concatenate([color, depth])[None]}
    if net.endswith("hha"):
        hha = (found["hha"] - np.float32(HHA)[:, None, None])[None]
        return {"data": hha} if net == "nyud-fcn32s-hha" else {"color": color[None], "hha": hha}
    return {"data": color[None]}


def our_image(net):
    """Return the image as our network takes it, in [0, 255], (1, C, H, W)."""
    found = image(net)
    if net == "nyud-fcn32s-hha":
        return found["hha"][None]
    parts = [found["rgb"]]
    if "depth" in found:  # 500 mm is 0 and 10 m is 255, in logarithms
        parts.append(255 * (np.log(found["depth"]) - log(500))[None] / log(10000 / 500))
    parts += [found["hha"]] if "hha" in found else []
    return np.concatenate(parts).astype(np.float32)[None]


def _backbone(channels, suffix, first=None):
    shapes = {}
    for block, depth in enumerate(DEPTHS, 1):
        for number in range(1, depth + 1):
            name = f"conv{block}_{number}"
            name = first if first and name == "conv1_1" else name
            shapes[name + suffix] = (WIDTHS[block - 1], channels, 3)
            channels = WIDTHS[block - 1]
    return shapes | {f"fc6{suffix}": (HIDDEN, channels, 7), f"fc7{suffix}": (HIDDEN, HIDDEN, 1)}


def _scores(net, classes):
    shapes = {"score_fr": (classes, HIDDEN, 1)}
    if net == "siftflow-fcn32s":
        return shapes | {"upscore": (classes, 64)}
    shapes |= {"upscore2": (classes, 4), "score_pool4": (classes, WIDTHS[3], 1)}
    if net == "siftflow-fcn16s":
        return shapes | {"upscore16": (classes, 32)}
    shapes |= {"upscore_pool4": (classes, 4), "score_pool3": (classes, WIDTHS[2], 1)}
    return shapes | {"upscore8": (classes, 16)}


def _draw(draw, shape):
    """Draw a convolution (out, in, kernel) with a bias, or a deconvolution (classes, kernel)."""
    if len(shape) == 2:  # random between all classes, where the authors' are bilinear
        classes, kernel = shape
        return [draw.normal(0, 2 / kernel, (classes, classes, kernel, kernel)).astype(np.float32)]
    outputs, inputs, kernel = shape
    spread = np.sqrt(2 / (inputs * kernel**2))
    weight = draw.normal(0, spread, (outputs, inputs, kernel, kernel)).astype(np.float32)
    return [weight, draw.normal(0, 0.3, outputs).astype(np.float32)]
