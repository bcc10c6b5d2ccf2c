"""The engines that can answer for one model: PyTorch's ways, and files of other runtimes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fullconv.config import Architecture, Normalization
from fullconv.data.formats import open_data
from fullconv.errors import ConfigError, EngineError
from fullconv.export.benchmark.timing import Engine, Images, Started
from fullconv.export.benchmark.worker import do_apart
from fullconv.export.exporters import exporter_for, exporters
from fullconv.export.parity import as_batch, cut
from fullconv.export.portable import make_portable
from fullconv.inference.cpu.optimize import optimize
from fullconv.inference.model_file import model_file, read_card
from fullconv.inference.runtimes import is_exported, runtime_for
from fullconv.inference.runtimes.network import open_exported
from fullconv.io.images import read_image
from fullconv.model import load
from fullconv.networks.fcn.summary import anatomy, on_meta
from fullconv.networks.layers import TransposedUpsample

LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # PyTorch's; our command line asks for them, others do not
PLAIN = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
RUNTIMES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}


def runtimes_for(
    model: Path,
    files: Sequence[Path],
    folder: Path | None,
    size: tuple[int, int],
    compiled: bool,
    left_out: list[str],
) -> list[Engine]:
    """The engines that can answer for a model, the literal one first.

    Args:
        model: a run folder, a .safetensors file or an exported one.
        files: exported from it.
        folder: where to export it to for the other runtimes, in fp32; None: only `files` count.
        size: (height, width) of the image, which an export for one size is made for.
        compiled: whether torch.compile is worth a minute.
        left_out: gets a sentence for every engine that cannot be had.

    Raises:
        WeightsError: there is no such model.
        ConfigError: a file was not exported.
    """
    for file in files:
        if not is_exported(file):
            raise ConfigError(f"{file} is no exported file; expected what `fullconv export` wrote")
    if is_exported(model):
        return [_of_file(file) for file in (model, *files)]
    architecture = read_card(model_file(model)).architecture
    engines = own_ways(model, architecture, compiled)
    sizes = [None, size] if isinstance(architecture.padding, int) else [None]
    for kind, title in RUNTIMES.items() if folder else ():
        for fixed in sizes:
            assert folder
            name = f"{title}, one size" if fixed else title
            path = folder / f"{'x'.join(map(str, fixed or ('any',)))}{exporters[kind].suffix}"
            try:
                if not path.exists():
                    do_apart(title, write_export, model, path, fixed)
            except EngineError as error:
                left_out.append(str(error))
                break
            engines.append(Engine(name, run_file, (path, architecture, fixed)))
    return engines + [_of_file(file) for file in files]


def own_ways(model: Path, architecture: Architecture, compiled: bool = False) -> list[Engine]:
    """PyTorch's ways to answer.

    literal: all of the padding, as other programs compute it; eager: without the frame's work;
    optimised: the default for several photos; compiled: torch.compile of the literal way.
    """
    wide = isinstance(architecture.padding, int)
    ways = (*(["literal"] if wide else []), "eager", "optimised", *(["compiled"] * compiled))
    return [
        Engine(f"PyTorch, {way}", run_model, (model, way), _pages(large=way == "optimised"))
        for way in ways
    ]


def run_model(path: Path, way: str) -> Started:
    """A model in PyTorch, in one of `own_ways`."""
    network = load(path).network
    network.sparse_padding = way in ("eager", "optimised")
    if way == "optimised":
        optimize(network)
    if way == "compiled":
        assert network.architecture
        compiled: Any = torch.compile(network)
        return Started(called(compiled), literal_work(network.architecture))
    return Started(called(network), lambda images: performed(network, images))


def run_file(
    path: Path, architecture: Architecture | None = None, size: tuple[int, int] | None = None
) -> Started:
    """An exported file; one without a description is that of `architecture`, for `size` only."""
    if architecture:
        return Started(runtime_for(path).open(path).run, exported_work(architecture, size))
    opened = open_exported(path)
    work = exported_work(opened.architecture, opened.fixed_size) if opened.architecture else None
    return Started(opened.run, work, opened.description.precision)


def write_export(model: Path, path: Path, size: tuple[int, int] | None) -> Started:
    """Write a model's network for another runtime, without proof."""
    exporter_for(path).write(load(model).network.eval(), path, size)
    return Started(lambda images: images)


def called(network: nn.Module) -> Callable[[Images], np.ndarray]:
    """A network as a function of images, for answers only."""
    network.eval()

    @torch.inference_mode()
    def run(images: Images) -> np.ndarray:
        scores: np.ndarray = network(torch.from_numpy(images)).numpy()
        return scores

    return run


def literal_work(architecture: Architecture) -> Callable[[Images], int]:
    """Images -> multiply-adds of every layer over all of its map."""

    def work(images: Images) -> int:
        network = on_meta(architecture, PLAIN)
        rows = anatomy(network, images.shape[2], images.shape[3])
        return len(images) * sum(row.multiply_adds for row in rows)

    return work


def exported_work(
    architecture: Architecture, size: tuple[int, int] | None
) -> Callable[[Images], int]:
    """Images -> multiply-adds of the graph that an export for `size`, or for any, is made of."""

    def work(images: Images) -> int:
        network = on_meta(architecture, PLAIN).to_empty(device="cpu")
        network.normalization = PLAIN
        for layer in network.modules():  # bilinear ones are exported as interpolations
            if isinstance(layer, TransposedUpsample) and not architecture.learn_upsampling:
                fresh = TransposedUpsample(layer.in_channels, layer.factor, layer.kernel_size[0])
                layer.load_state_dict(fresh.state_dict())
        return performed(make_portable(network, size), images)

    return work


def performed(network: nn.Module, images: Images) -> int:
    """Multiply-adds of convolutions and matrix products, counted while they are computed."""
    from torch.utils.flop_counter import FlopCounterMode  # imports triton: memory that is not ours

    def each(x: Any, weight: Any, *rest: Any, out_shape: Any, **more: Any) -> int:
        return 2 * int(np.prod(out_shape) * np.prod(weight[1:]))

    operators = torch.ops.mkldnn._convolution_pointwise, torch.ops.mkldnn._linear_pointwise
    ours = dict.fromkeys(operators, each)
    with FlopCounterMode(display=False, custom_mapping=ours) as counter:
        called(network)(images)
    return int(counter.get_total_flops()) // 2


def picture(photo: Path | None, height: int, width: int) -> Images:
    """A part of the photo, or of a drawn street scene, as an image (1, 3, height, width)."""
    pixels = read_image(photo) if photo else open_data("scenes:2", "train")[0].image
    return as_batch(cut(pixels, (height, width)))


def _of_file(file: Path) -> Engine:
    titles = {exporters[kind].suffix: title for kind, title in RUNTIMES.items()}
    return Engine(f"{titles.get(file.suffix.lower(), 'PyTorch')}, {file.name}", run_file, (file,))


def _pages(large: bool) -> dict[str, str]:
    return {LARGE_PAGES: "1" if large else "0"}
