"""fullconv bench: compare the inference speed of all installed runtimes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli import _bench_options as options
from fullconv.cli._architecture import find_architecture, refuse_settings
from fullconv.cli._bench_table import print_table
from fullconv.cli._console import track, write_json
from fullconv.cli._options import Json, Quiet, parse_size

if TYPE_CHECKING:
    from fullconv.config import Architecture


def command(
    model: options.Subject,
    files: options.Files = None,
    size: options.Sizes = None,
    photo: options.Photo = None,
    rounds: options.Rounds = 7,
    threads: options.Threads = None,
    batch: options.Batch = 1,
    cpu_time: options.CpuTime = False,
    compiled: options.Compiled = False,
    export: options.Export = True,
    classes: options.Classes = 21,
    padding: options.Padding = "same",
    width: options.Width = 1.0,
    hidden: options.Hidden = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Compare the inference speed of all runtimes.

    Measures latency, throughput, memory and floating-point operations per second in interleaved
    rounds. Only the network is measured, not reading photos or writing predictions.
    """
    from fullconv.export.benchmark.measure import measure
    from fullconv.export.benchmark.runtimes import (
        benchmark_image,
        network_size,
        runtimes_for,
    )
    from fullconv.inference.cpu.optimize import set_threads

    sizes = [parse_size(text) or (0, 0) for text in size or ["500x500"]]
    results = []
    with _model_file(model, classes, padding, width, hidden) as (path, folder):
        for images in [benchmark_image(photo, *network_size(path, pair)) for pair in sizes]:
            extent = images.shape[2], images.shape[3]
            left_out: list[str] = []
            scratch = folder if export else None
            runtimes = runtimes_for(path, files or (), scratch, extent, compiled, left_out)
            measured = measure(
                runtimes,
                images,
                rounds=rounds,
                threads=threads or set_threads(),
                batch=batch,
                clock="cpu" if cpu_time else "wall",
                left_out=left_out,
            )
            *_, result = track(measured, rounds, f"{extent[0]} x {extent[1]}", quiet)
            results.append(result)
            if str(json) != "-":
                print_table(result, quiet)
    write_json(json, {"model": model, "sizes": [result.as_json() for result in results]})


@contextmanager
def _model_file(
    model: str, classes: int, padding: str, width: float, hidden: int | None
) -> Iterator[tuple[Path, Path]]:
    """Yield the model's path and a temporary folder; saves a random model of a network's name."""
    from fullconv.inference.model_file import is_path
    from fullconv.io.atomic import scratch

    with scratch() as folder:
        path = Path(model)
        if is_path(model) or not model.startswith("fcn"):
            refuse_settings(model, padding, width, hidden)
            yield path, folder
            return
        file = folder / "model.safetensors"
        architecture, _ = find_architecture(model, classes, padding, width, hidden)
        _save_random_model(architecture, file)
        yield file, folder


def _save_random_model(architecture: "Architecture", path: Path) -> None:
    import torch

    from fullconv.config import Normalization
    from fullconv.model import Model
    from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD, build

    torch.manual_seed(0)
    network = build(architecture, Normalization(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    for layer in network.score_layers():
        # Not zeros, as for training: all predictions would agree, however wrong a runtime is.
        torch.nn.init.normal_(layer.weight, std=0.01)
    classes = [f"class {number}" for number in range(architecture.classes)]
    Model(network, classes).save(path)
