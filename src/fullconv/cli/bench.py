"""fullconv bench: how fast a model answers here, with every engine that is installed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli import _bench_options as options
from fullconv.cli._bench_table import tell
from fullconv.cli._console import track, write_json
from fullconv.cli._options import Json, Quiet, parse_padding, parse_size

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
    """Measure latency, throughput, memory and operations a second of every engine, in turns.

    The network alone is measured, without reading photos and writing answers.
    """
    from fullconv.export.benchmark.measure import measure
    from fullconv.export.benchmark.runtimes import picture, runtimes_for
    from fullconv.inference.cpu.optimize import set_threads

    sizes = [parse_size(text) or (0, 0) for text in size or ["500x500"]]
    found = []
    with _model_file(model, classes, padding, width, hidden) as (path, folder):
        for images in [picture(photo, *one) for one in sizes]:
            extent = images.shape[2], images.shape[3]
            missing: list[str] = []
            where = folder if export else None
            engines = runtimes_for(path, files or (), where, extent, compiled, missing)
            told = measure(
                engines,
                images,
                rounds=rounds,
                threads=threads or set_threads(),
                batch=batch,
                clock="cpu" if cpu_time else "wall",
                left_out=missing,
            )
            *_, bench = track(told, rounds, f"{extent[0]} x {extent[1]}", quiet)
            found.append(bench)
            if str(json) != "-":
                tell(bench, quiet)
    write_json(json, {"model": model, "sizes": [bench.as_json() for bench in found]})


@contextmanager
def _model_file(
    model: str, classes: int, padding: str, width: float, hidden: int | None
) -> Iterator[tuple[Path, Path]]:
    """The model's path, and a folder for a while; a name's network has random weights."""
    from fullconv.config import Architecture

    with tempfile.TemporaryDirectory(prefix="fullconv-bench-") as name:
        path, folder = Path(model), Path(name)
        if path.exists() or not model.startswith("fcn") or path.suffix:
            yield path, folder
            return
        made = folder / "model.safetensors"
        padded = parse_padding(padding)
        settings = {"classes": classes, "padding": padded, "width": width, "hidden": hidden}
        _save_drawn(Architecture.checked(name=model, **settings), made)
        yield made, folder


def _save_drawn(architecture: "Architecture", path: Path) -> None:
    """Save a network with random weights, in its score layers too."""
    import torch

    from fullconv.config import Normalization
    from fullconv.model import Model
    from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD, build

    torch.manual_seed(0)
    network = build(architecture, Normalization(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.01)  # zeros would agree with anything
    classes = [f"class {number}" for number in range(architecture.classes)]
    Model(network, classes).save(path)
