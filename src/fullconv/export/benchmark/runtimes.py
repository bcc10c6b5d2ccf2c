"""The engines of a model: PyTorch with different settings, and exported files."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fullconv.config import Architecture, Normalization
from fullconv.conversion.portable import make_portable
from fullconv.data.formats import open_data
from fullconv.engines import TITLES
from fullconv.errors import ConfigError, EngineError
from fullconv.export.benchmark.timing import Engine, Images, ReadyEngine
from fullconv.export.benchmark.worker import run_in_process
from fullconv.export.exporters import exporter_for, exporters
from fullconv.export.parity import crop_or_tile, to_batch
from fullconv.inference.cpu.optimize import optimize
from fullconv.inference.exported_file import open_exported
from fullconv.inference.model_file import model_file, read_card
from fullconv.inference.runtimes import Run, is_exported, runtime_for
from fullconv.io.images import fit_size, read_image
from fullconv.model import load
from fullconv.networks.fcn.summary import on_meta, summarize
from fullconv.networks.layers import TransposedUpsample

LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # of PyTorch; the command line sets it, other callers do not
PLAIN = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
RUNTIMES = {name: TITLES[name] for name in ("onnx", "openvino")}


def runtimes_for(
    model: Path,
    files: Sequence[Path],
    folder: Path | None,
    size: tuple[int, int],
    compiled: bool,
    left_out: list[str],
) -> list[Engine]:
    """Return the engines of a model; the first is the reference.

    Args:
        model: a run folder, a .safetensors file or an exported file.
        files: further files exported from it.
        folder: for fp32 exports to the other runtimes; None to use only `files`.
        size: (height, width) of the image, for exports for one size.
        compiled: include torch.compile, which takes about a minute.
        left_out: extended by the reason for each engine that is not available.

    Raises:
        WeightsError: the model cannot be read.
        ConfigError: one of `files` is not an exported file.
    """
    for file in files:
        if not is_exported(file):
            raise ConfigError(
                f"{file} is not an exported file; expected one that `fullconv export` wrote"
            )
    if is_exported(model):
        return _of_files([model, *files])
    architecture = read_card(model_file(model)).architecture
    engines = pytorch_engines(model, architecture, compiled)
    sizes = [None, size] if isinstance(architecture.padding, int) else [None]
    for kind, title in RUNTIMES.items() if folder else ():
        for fixed in sizes:
            assert folder
            name = f"{title}, one size" if fixed else title
            path = folder / f"{'x'.join(map(str, fixed or ('any',)))}{exporters[kind].suffix}"
            try:
                if not path.exists():
                    run_in_process(title, write_export, model, path, fixed)
            except EngineError as error:
                left_out.append(str(error))
                break
            engines.append(Engine(name, run_file, (path, architecture, fixed)))
    return engines + _of_files(files)


def pytorch_engines(
    model: Path, architecture: Architecture, compiled: bool = False
) -> list[Engine]:
    """Return the engines of PyTorch.

    literal: the whole padding is computed, as in other programs; eager: with border skipping;
    optimized: the default for several images; compiled: torch.compile of literal.
    """
    wide = isinstance(architecture.padding, int)
    ways = (*(["literal"] if wide else []), "eager", "optimized", *(["compiled"] * compiled))
    return [
        Engine(f"PyTorch, {way}", run_model, (model, way), _pages(large=way == "optimized"))
        for way in ways
    ]


def run_model(path: Path, way: str) -> ReadyEngine:
    """Start a model in PyTorch; `way` is one of those in `pytorch_engines`."""
    model = load(path)
    model.check_photos("fullconv bench")
    network = model.network
    network.sparse_padding = way in ("eager", "optimized")
    if way == "optimized":
        optimize(network)
    if way == "compiled":
        assert network.architecture
        compiled: Any = torch.compile(network)
        return ReadyEngine(as_function(compiled), full_multiply_adds(network.architecture))
    return ReadyEngine(as_function(network), lambda images: count_multiply_adds(network, images))


def run_file(
    path: Path, architecture: Architecture | None = None, size: tuple[int, int] | None = None
) -> ReadyEngine:
    """Start an exported file; without a description, it has `architecture` and supports `size`."""
    if architecture:
        run = runtime_for(path).open(path).run
        work = exported_multiply_adds(architecture, size)
        return ReadyEngine(one_by_one(run) if size else run, work)
    opened = open_exported(path)
    made_from = opened.description.architecture
    known = exported_multiply_adds(made_from, opened.fixed_size) if made_from else None
    run = one_by_one(opened.run) if opened.fixed_size else opened.run
    return ReadyEngine(run, known, opened.description.precision)


def one_by_one(run: Run) -> Run:
    """Return a function of any number of images, of one of a file that takes one at a time."""
    return lambda images: np.concatenate([run(image[None]) for image in images])


def write_export(model: Path, path: Path, size: tuple[int, int] | None) -> ReadyEngine:
    """Write a model's network for another runtime, without comparing scores."""
    exporter_for(path).write(load(model).network.eval(), path, size)
    return ReadyEngine(lambda images: images)


def as_function(network: nn.Module) -> Callable[[Images], np.ndarray]:
    """Return a network in evaluation mode as a function of images."""
    network.eval()
    given: Images | None = None
    tensor = torch.empty(0)

    @torch.inference_mode()
    def run(images: Images) -> np.ndarray:
        nonlocal given, tensor
        if images is not given:  # in the layout in which `Model.predict` gives photos, not measured
            given = images
            tensor = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
        scores: np.ndarray = network(tensor).numpy()
        return scores

    return run


def full_multiply_adds(architecture: Architecture) -> Callable[[Images], int]:
    """Return a function: images -> multiply-adds of all layers over their full maps."""

    def work(images: Images) -> int:
        network = on_meta(architecture, PLAIN)
        rows = summarize(network, images.shape[2], images.shape[3])
        return len(images) * sum(row.multiply_adds for row in rows)

    return work


def exported_multiply_adds(
    architecture: Architecture, size: tuple[int, int] | None
) -> Callable[[Images], int]:
    """Return a function: images -> multiply-adds of the exported graph for `size`, or any size."""

    def work(images: Images) -> int:
        network = on_meta(architecture, PLAIN).to_empty(device="cpu")
        network.normalization = PLAIN
        for layer in network.modules():  # bilinear ones are exported as interpolations
            if isinstance(layer, TransposedUpsample) and not architecture.learn_upsampling:
                fresh = TransposedUpsample(layer.in_channels, layer.factor, layer.kernel_size[0])
                layer.load_state_dict(fresh.state_dict())
        return count_multiply_adds(make_portable(network, size), images)

    return work


def count_multiply_adds(network: nn.Module, images: Images) -> int:
    """Count the multiply-adds of convolutions and matrix products during a run."""
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, which takes memory

    def each(x: Any, weight: Any, *rest: Any, out_shape: Any, **more: Any) -> int:
        return 2 * int(np.prod(out_shape) * np.prod(weight[1:]))

    operators = torch.ops.mkldnn._convolution_pointwise, torch.ops.mkldnn._linear_pointwise
    ours = dict.fromkeys(operators, each)
    with FlopCounterMode(display=False, custom_mapping=ours) as counter:
        as_function(network)(images)
    return int(counter.get_total_flops()) // 2


def network_size(model: Path, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) at which a model's network gets an image of `size`."""
    exported = is_exported(model)
    card = open_exported(model).description if exported else read_card(model_file(model))
    return fit_size(size, card.size, card.input_scale)


def benchmark_image(photo: Path | None, height: int, width: int) -> Images:
    """Return a crop of a photo, or of a synthetic scene, as an image (1, 3, height, width)."""
    pixels = read_image(photo) if photo else open_data("scenes:2", "train")[0].image
    return to_batch(crop_or_tile(pixels, (height, width)))


def _of_files(files: Sequence[Path]) -> list[Engine]:
    """Return the engine of each file, which has the whole path in its name if others share that."""
    names = Counter(file.name for file in dict.fromkeys(files))
    shown = {file: file.name if names[file.name] == 1 else str(file) for file in files}
    return [Engine(f"{runtime_for(f).title}, {name}", run_file, (f,)) for f, name in shown.items()]


def _pages(large: bool) -> dict[str, str]:
    return {LARGE_PAGES: "1" if large else "0"}
