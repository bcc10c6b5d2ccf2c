"""What smaller caches of convolution plans cost: python benchmarks/plan_caches.py [--rounds 7].

`import fullconv` sets ONEDNN_PRIMITIVE_CACHE_CAPACITY and LRU_CACHE_CAPACITY, or PyTorch's caches
grow with every new photo size. Networks of few to very many layers predict photos of one size, and
of sizes that alternate: two, and forty, more than any cache holds plans for. The settings take
turns; ratios are the medians of paired rounds.
"""

import itertools
import statistics
import sys
from argparse import ArgumentParser

from _processes import WORK, Tasks, work, workers

SETTINGS = {
    "fullconv's": {},
    "PyTorch's": {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024", "LRU_CACHE_CAPACITY": "1024"},
}
NETWORKS = {
    "vgg11_bn, width 1/16": ("fcn8s-vgg11_bn", 1 / 16),
    "vgg16, width 1/4": ("fcn8s-vgg16", 1 / 4),
    "resnet18": ("fcn8s-resnet18", None),
    "efficientnet_lite2": ("fcn4s-efficientnet_lite2", None),
    "resnet152, 157 layers": ("fcn8s-resnet152", None),
}
SIZES = {"one size": 1, "two sizes": 2, "forty sizes": 40}


def tasks() -> Tasks:
    """Return the predictions that are measured."""
    import numpy as np

    import fullconv as fc

    random = np.random.default_rng(0)
    found = {}
    for name, (network, width) in NETWORKS.items():
        given = {} if width is None else {"width": width, "hidden": 64}
        model = fc.Model(fc.create_model(network, 2, **given), ("a", "b"))
        for text, count in SIZES.items():
            photos = [
                random.integers(0, 256, (120 + 3 * i, 160 + 2 * i, 3), np.uint8)
                for i in range(count)
            ]
            turn = itertools.cycle(photos)
            found[f"{name}, {text}"] = lambda m=model, t=turn: m.predict(next(t))
    return found


def main() -> None:
    """Measure both settings and print medians and ratios."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    chosen = parser.parse_args()
    with workers(SETTINGS) as measured:
        times = measured.rounds(chosen.rounds, chosen.seconds)
        names = measured.names
    ours, theirs = SETTINGS
    print(f"{'':40} {'ms':>8} {'larger':>8} {'ratio':>6}")
    for number, task in enumerate(names):
        pairs = list(zip(times[ours, number], times[theirs, number], strict=True))
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{task:40} {1e3 * mine:8.1f} {1e3 * other:8.1f} {ratio:6.2f}")


if __name__ == "__main__":
    if WORK in sys.argv:
        work(tasks())
    else:
        main()
