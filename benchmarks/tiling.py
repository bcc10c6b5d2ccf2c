"""Tiled against whole-image prediction: `python benchmarks/tiling.py [exact] [work] [time]`.

exact: the largest difference of scores, relative to the largest score, and the number of labels
that differ, over random image sizes, strip heights and band widths; VGG at a small width. In single
precision a label may differ if two scores are equal up to rounding, which depends on the shapes of
a convolution's input; in double precision none may.
work: multiply-adds of tiled prediction relative to the whole image, for FCN-8s on VGG-16 within
2 GiB, from 1 to 1,000 megapixels, counted on meta tensors. Memory grows with an image's width, so
very wide images may need more.
time: seconds per megapixel of a small network, tiled and, where it fits, on the whole image.
"""

import random
import sys
import time
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

import fullconv as fc
from fullconv.errors import ConfigError
from fullconv.inference.planner import Plan, band_executors, plan
from fullconv.inference.streaming.graph import record_ops
from fullconv.inference.tiling import stream

CLASSES = 21
SIZES = 50
NETWORKS = ("vgg16", "vgg16_bn", "resnet18", "tf_efficientnet_lite0")
MEGAPIXELS = (1, 4, 16, 64, 100, 250, 400, 1000)
MEMORY = "2GiB"


def random_network(name: str, **settings: object) -> nn.Module:
    """Create a network with random weights in all layers; new score layers would be zero."""
    torch.manual_seed(0)
    network = fc.create_model(name, CLASSES, **settings).eval()  # type: ignore[arg-type]
    for layer in network.score_layers():
        nn.init.normal_(layer.weight, std=0.1)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            layer.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network


@torch.inference_mode()
def difference(network: nn.Module, draw: random.Random) -> tuple[float, int, int]:
    """Return the largest difference over random sizes, and how many labels differ, of how many."""
    largest, differing, pixels = 0.0, 0, 0
    for number in range(SIZES):
        size = (draw.randint(1, 128), draw.randint(1, 128)) if number else (1, 1)
        image = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        dtype = next(network.parameters()).dtype
        whole = network(torch.from_numpy(image).permute(2, 0, 1)[None].to(dtype))[0].float()
        rows = draw.choice([draw.randint(1, 32), draw.randint(1, 128)])
        columns = draw.randint(max(1, size[1] // 4), size[1])
        planned = Plan("strips", True, size, rows, columns)
        read = lambda window, image=image: image[window.slices]  # noqa: E731
        for part in stream(network, read, planned, scores=True):
            assert part.score is not None
            expected = whole[:, *part.window.slices]
            error = (part.score - expected).abs().max() / whole.abs().max()
            largest = max(largest, float(error))
            differing += int((expected.argmax(0) != part.score.argmax(0)).sum())
            pixels += part.labels.size
    return largest, differing, pixels


def exact() -> Iterator[str]:
    """Yield the lines of the table of differences."""
    yield "| network | padding | difference / largest score | labels that differ | in double |"
    yield "|---|---|---|---|---|"
    for backbone in NETWORKS:
        small = {"width": 1 / 16, "hidden": 32} if "vgg" in backbone else {}
        for stride in (32, 16, 8):
            for padding in ("same", 100):
                network = random_network(f"fcn{stride}s-{backbone}", padding=padding, **small)
                largest, differing, pixels = difference(network, random.Random(stride))
                _, double, _ = difference(network.double(), random.Random(stride))
                name = f"FCN-{stride}s {backbone} | {padding}"
                yield f"| {name} | {largest:.1e} | {differing} of {pixels:,} | {double} |"


def multiply_adds(network: nn.Module, planned: Plan) -> int:
    """Count the multiply-adds of all bands, on a batch of no images."""
    steps = record_ops(network, planned.size, weights=False)
    executors = band_executors(steps, planned)
    for executor in executors:
        for _ in executor.run(steps.blank):
            pass
    return sum(executor.multiply_adds for executor in executors)


def work() -> Iterator[str]:
    """Yield the lines of the table of multiply-adds."""
    with torch.device("meta"):
        network = fc.create_model("fcn8s-vgg16", CLASSES).eval()
    network.normalize.to("meta")
    yield "| megapixels | image | strips of | bands | expected peak | relative multiply-adds |"
    yield "|---|---|---|---|---|---|"
    shapes = [(round((n * 1e6) ** 0.5), round((n * 1e6) ** 0.5)) for n in MEGAPIXELS]
    for height, width in [*shapes, (8000, 125_000), (125_000, 8000)]:
        size = f"{height:,} x {width:,}"
        try:
            planned = plan(network, (height, width), MEMORY)
        except ConfigError as error:  # memory grows with the width, not with the height
            yield f"| {height * width / 1e6:.0f} | {size} | {error} | | | |"
            continue
        whole = multiply_adds(network, Plan("strips", True, (height, width), height + 64, width))
        ratio = multiply_adds(network, planned) / whole
        rows = "the whole" if planned.kind == "whole" else f"{planned.rows} rows"
        bands = -(-width // planned.columns)
        peak = f"{planned.peak / 2**30:.2f} GiB"
        yield f"| {height * width / 1e6:.0f} | {size} | {rows} | {bands} | {peak} | {ratio:.3f} |"


def times() -> Iterator[str]:
    """Yield the lines of the table of times."""
    network = random_network("fcn8s-vgg11", width=1 / 8, hidden=64)
    yield f"(FCN-8s VGG-11, width 1/8; {torch.get_num_threads()} threads; whole within 2 GiB)"
    yield "| image | strips within 256 MiB | s per megapixel | whole image, s per megapixel |"
    yield "|---|---|---|---|"
    for side in (1000, 2000, 4000):
        image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        row = []
        plans = (plan(network, (side, side), "256MiB"), plan(network, (side, side), MEMORY))
        for planned in plans:
            start = time.perf_counter()
            for _ in stream(network, lambda window, image=image: image[window.slices], planned):
                pass
            seconds = (time.perf_counter() - start) / side**2 * 1e6
            row.append(f"{seconds:.2f} ({planned.kind})")
        yield f"| {side} x {side} | {plans[0].rows} rows | {row[0]} | {row[1]} |"


def main(tables: list[str]) -> None:
    """Print the tables, as Markdown."""
    warnings.simplefilter("ignore")
    for name, table in {"exact": exact, "work": work, "time": times}.items():
        if name in tables or not tables:
            for line in table():
                print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
