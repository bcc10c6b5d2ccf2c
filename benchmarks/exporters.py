"""Parity of exported files with the network at 20 odd sizes, and their latency.

    python benchmarks/exporters.py                 parity of every exporter and kind of network
    python benchmarks/exporters.py --latency       FCN-8s VGG16, padding 100, all runtimes
    python benchmarks/exporters.py --latency --int8 --sizes 256x256,500x500 --threads 2 --rounds 9

Each exporter's file is measured in three forms: the literal network for one size, exported layer by
layer; the portable network for any size; and the portable network for one size, with border
skipping in the graph. Rounds are interleaved: the ratios carry over to other machines, the absolute
times do not.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

import fullconv as fc
from fullconv.conversion import trace
from fullconv.export.exporters import exporters
from fullconv.export.parity import difference, network_scores
from fullconv.inference.runtimes import runtimes

ODD = (1, 3, 5, 7, 9, 15, 17, 31, 33, 47, 63, 65, 97, 127, 129, 161, 191, 225, 257, 289)
KINDS = {
    "vgg11, padding 100": {"padding": 100, "width": 1 / 8, "hidden": 32},
    "vgg11_bn, same": {"name": "fcn8s-vgg11_bn", "width": 1 / 8, "hidden": 32},
    "sum": {"width": 1 / 8, "hidden": 32, "fusing": "sum"},
    "unpooling": {"width": 1 / 8, "hidden": 32, "upsampling": "unpooling"},
    "bilinear": {"width": 1 / 8, "hidden": 32, "upsampling": "bilinear"},
    "bilinear-corners": {"width": 1 / 8, "hidden": 32, "upsampling": "bilinear-corners"},
    "resnet18": {"name": "fcn8s-torchvision_resnet18"},
    "efficientnet_lite0": {"name": "fcn8s-tf_efficientnet_lite0"},
}
Run = Callable[[np.ndarray], np.ndarray]


def network(name: str = "fcn8s-vgg11", classes: int = 21, **settings: object) -> fc.FCN:
    """Create a network with random weights whose scores are not all zero."""
    torch.manual_seed(0)
    created = fc.create_model(name, classes, **settings).eval()  # type: ignore[arg-type]
    for layer in created.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.1)
    return created


def parity(names: list[str]) -> list[dict[str, object]]:
    """Return the largest difference over the odd sizes, per exporter and kind of network."""
    random = np.random.default_rng(0)
    sizes = [(side, ODD[(index * 7 + 3) % len(ODD)]) for index, side in enumerate(ODD)]
    images = [random.uniform(0, 255, (1, 3, *size)).astype(np.float32) for size in sizes]
    rows = []
    for kind, settings in KINDS.items():
        net = network(**settings)  # type: ignore[arg-type]
        expected = [network_scores(net, image) for image in images]
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                run = export_and_open(net, name, Path(folder))
                found = [attempt(run, image) for image in images]
            worst, changes, refused = 0.0, 0, []
            for size, one, other in zip(sizes, expected, found, strict=True):
                if other is None:
                    refused.append(size)
                    continue
                worst = max(worst, difference(one, other))
                changes += int((one.argmax(1) != other.argmax(1)).sum())
            pixels = sum(height * width for height, width in sizes)
            row = {"network": kind, "exporter": name, "difference": worst, "refused": refused}
            rows.append(row | {"label_changes": changes / pixels, "sizes": len(sizes)})
            print(
                f"{kind:20} {name:9} {len(sizes) - len(refused):2} sizes  {worst:8.1e}  "
                f"labels {changes / pixels:.4%}  refused {refused or '-'}",
                flush=True,
            )
    return rows


def export_and_open(net: torch.nn.Module, name: str, folder: Path) -> Run:
    """Export the network and open the file."""
    path = folder / f"net{exporters[name].suffix}"
    exporters[name].write(net, path, None)
    return runtimes[name].open(path).run


def attempt(run: Run, image: np.ndarray) -> np.ndarray | None:
    """Return the scores, or None if the file does not accept the size."""
    try:
        return run(image)
    except Exception:
        return None


def latency(options: argparse.Namespace) -> list[dict[str, object]]:
    """Return medians and ratios of every runtime, interleaved, for each size."""
    net = network(options.network, padding=100, width=options.width, hidden=options.hidden)
    random = np.random.default_rng(0)
    sizes = [tuple(int(side) for side in text.split("x")) for text in options.sizes.split(",")]
    images = {size: random.uniform(0, 255, (1, 3, *size)).astype(np.float32) for size in sizes}
    rows = []
    names = options.exporters.split(",")
    for size, image in images.items():
        with tempfile.TemporaryDirectory() as folder:
            variants: dict[str, Run] = {
                "eager, literal": lambda image: eager_scores(net, image, False),
                "eager, border skipping": lambda image: eager_scores(net, image, True),
            }
            for name in names:
                variants |= forms(net, name, size, Path(folder), image if options.int8 else None)
            scores = {variant: run(image) for variant, run in variants.items()}  # warm up
            times: dict[str, list[float]] = {variant: [] for variant in variants}
            for _ in range(options.rounds):
                for variant, run in variants.items():
                    start = time.perf_counter()
                    run(image)
                    times[variant].append(time.perf_counter() - start)
            rows += table(size, times, scores)
    return rows


def forms(
    net: fc.FCN, name: str, size: tuple[int, ...], folder: Path, calibration: np.ndarray | None
) -> dict[str, Run]:
    """Write an exporter's files: literal, for any size, and for one size with border skipping."""
    exporter = exporters[name]
    found: dict[str, Run] = {}
    for form in ("literal", "any size", "border skipping"):
        path = folder / f"{name}-{form.replace(' ', '-')}{exporter.suffix}"
        with literal(form == "literal"):
            exporter.write(net, path, None if form == "any size" else size)  # type: ignore[arg-type]
        found[f"{name}, {form}"] = runtimes[name].open(path).run
        if calibration is not None and exporter.quantize:
            small = path.with_name(f"int8-{path.name}")
            exporter.quantize(path, small, [calibration])
            found[f"{name} int8, {form}"] = runtimes[name].open(small).run
    return found


@contextmanager
def literal(wanted: bool) -> Iterator[None]:
    """Export the network layer by layer, without `make_portable`, if `wanted`."""
    portable = trace.make_portable
    if wanted:
        trace.make_portable = lambda net, size=None: without_border_skipping(net)
    try:
        yield
    finally:
        trace.make_portable = portable


def without_border_skipping(net: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of the network without border skipping or optimization."""
    net = copy.copy(net)
    net.sparse_padding, net.optimized_backbone = False, None  # type: ignore[assignment]
    return net


def table(
    size: tuple[int, ...], times: dict[str, list[float]], scores: dict[str, np.ndarray]
) -> list[dict[str, object]]:
    """Print and return the medians of one size."""
    first = next(iter(times))
    rows = []
    for variant, seconds in times.items():
        ratios = [a / b for a, b in zip(times[first], seconds, strict=True)]
        agree = float((scores[variant].argmax(1) == scores[first].argmax(1)).mean())
        row = {
            "size": size,
            "variant": variant,
            "median": statistics.median(seconds),
            "ratio": statistics.median(ratios),
            "agreement": agree,
        }
        rows.append(row)
        print(
            f"{size[0]:4} x {size[1]:<4} {variant:30} {row['median']:7.3f} s  "
            f"{row['ratio']:5.2f} times as fast as {first}; same label {agree:.3%}",
            flush=True,
        )
    return rows


def eager_scores(net: fc.FCN, image: np.ndarray, skip: bool) -> np.ndarray:
    """Return the network's scores in PyTorch, with or without border skipping."""
    net.sparse_padding = skip
    return network_scores(net, image)


def main() -> None:
    """Measure parity or latency, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--network", default="fcn8s-vgg16")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--hidden", type=int, default=None)
    parser.add_argument("--exporters", default="onnx,openvino,program")
    parser.add_argument("--sizes", default="256x256,500x500")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = latency(options) if options.latency else parity(options.exporters.split(","))
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
