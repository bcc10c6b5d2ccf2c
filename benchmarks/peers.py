"""The paper's FCN-8s compared with other implementations and networks on one machine.

    python benchmarks/peers.py --sizes 256 500 --rounds 7 --threads 2
    python benchmarks/peers.py --only fp32 --sizes 256        one part, a few minutes

FCN-8s on VGG-16, 21 classes, padding 100, one square image, in parts:

- fp32: pytorch-fcn's arithmetic in plain PyTorch, ONNX Runtime and OpenVINO, and fullconv;
- int8: the same graphs, quantized on synthetic scenes (or --data) by ONNX Runtime and NNCF;
- others: torchvision's fcn_resnet50, and Unet and FPN of segmentation_models_pytorch if installed;
- training: a step of SGD, of pytorch-fcn and of fullconv.

`pytorch-fcn` is reimplemented below, layer by layer, with the same weights. Each variant has a
process of its own; all variants of a table run in interleaved rounds, and ratios are medians over
the rounds. The tables are printed as Markdown; --json writes every measurement. Weights are random
unless --model FILE has trained ones; with random weights the share of equal labels means little.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from fullconv.config import Architecture
from fullconv.data.formats import open_data
from fullconv.errors import ConfigError, EngineError, FullconvError
from fullconv.export.benchmark.measure import measure
from fullconv.export.benchmark.results import Bench
from fullconv.export.benchmark.runtimes import (
    LARGE_PAGES,
    as_function,
    count_multiply_adds,
    full_multiply_adds,
    run_file,
    run_model,
    write_export,
)
from fullconv.export.benchmark.timing import Engine, ReadyEngine, Spread
from fullconv.export.benchmark.worker import run_in_process
from fullconv.export.exporters import exporter_for
from fullconv.export.parity import crop_or_tile, to_batch
from fullconv.inference.model_file import model_file, read_card
from fullconv.inference.runtimes import runtime_for
from fullconv.model import Model, load
from fullconv.networks.fcn import create_model
from fullconv.training.target import cross_entropy
from fullconv.units import format_bytes

CLASSES = 21
BLOCKS = (2, 2, 3, 3, 3)  # convolutions of VGG-16 between its poolings
LITERAL, OURS = "pytorch-fcn", "fullconv, default"
PLAIN, LARGE = {LARGE_PAGES: "0"}, {LARGE_PAGES: "1"}  # only fullconv asks for large pages
SUFFIXES = {".onnx": "ONNX Runtime", ".xml": "OpenVINO"}
Size = tuple[int, int]


class PytorchFcn(nn.Module):
    """FCN-8s as pytorch-fcn computes it: all of the padding; crop offsets 5, 9 and 31.

    Args:
        weights: tensors of a fullconv model file.
        mean: per-channel mean of the normalization.
        std: per-channel standard deviation of the normalization.
    """

    def __init__(self, weights: dict[str, Tensor], mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.mean = nn.Buffer(torch.tensor(mean).view(1, 3, 1, 1))
        self.std = nn.Buffer(torch.tensor(std).view(1, 3, 1, 1))
        for name, weight in weights.items():
            layer, _, what = name.removeprefix("backbone.").rpartition(".")
            if what == "weight":
                self.add_module(layer, self.layer(layer, weight, weights.get(f"{name[:-6]}bias")))
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2, 2, ceil_mode=True)
        self.drop = nn.Dropout2d()

    @staticmethod
    def layer(name: str, weight: Tensor, bias: Tensor | None) -> nn.Module:
        """Create one layer with these weights."""
        outputs, inputs, kernel, _ = weight.shape  # ConvTranspose2d: inputs first
        if name.startswith("upscore"):
            upscore: nn.Module = nn.ConvTranspose2d(
                outputs, inputs, kernel, kernel // 2, bias=False
            )
            upscore.weight = nn.Parameter(weight, requires_grad=False)
            return upscore
        padding = {"conv1_1": 100}.get(name, 1 if name.startswith("conv") else 0)
        conv = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
        return conv

    def forward(self, image: Tensor) -> Tensor:
        """Return scores (B, K, H, W) of images (B, 3, H, W), RGB in [0, 255]."""
        x, pooled = (image - self.mean) / self.std, []
        for block, convolutions in enumerate(BLOCKS, 1):
            for number in range(1, convolutions + 1):
                x = self.relu(self.get_submodule(f"conv{block}_{number}")(x))
            x = self.pool(x)
            pooled.append(x)
        x = self.drop(self.relu(self.fc6(x)))
        x = self.drop(self.relu(self.fc7(x)))
        x = self.upscore2(self.score_fr(x))
        x = x + crop_like(self.score_pool4(pooled[3]), 5, x)
        x = self.upscore_pool4(x)
        x = x + crop_like(self.score_pool3(pooled[2]), 9, x)
        return crop_like(self.upscore8(x), 31, image).contiguous()


def crop_like(x: Tensor, offset: int, like: Tensor) -> Tensor:
    """Crop x to the height and width of another tensor."""
    height, width = like.shape[-2:]
    return x[:, :, offset : offset + height, offset : offset + width]


def pytorch_fcn(path: Path) -> PytorchFcn:
    """Create the literal network with the weights of a model file."""
    normal = read_card(path).normalization
    return PytorchFcn(load_file(path), normal.mean, normal.std)


def run_literal(path: Path, variant: str) -> ReadyEngine:
    """Run the literal network in PyTorch: eager, channels_last or compiled."""
    network: Any = pytorch_fcn(path)
    if variant == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    if variant == "compiled":
        network = torch.compile(network)
        return ReadyEngine(as_function(network), full_multiply_adds(read_card(path).architecture))
    return ReadyEngine(as_function(network), lambda images: count_multiply_adds(network, images))


def run_literal_file(path: Path, architecture: Architecture, precision: str) -> ReadyEngine:
    """Run the literal network's graph in another runtime."""
    return ReadyEngine(
        runtime_for(path).open(path).run, full_multiply_adds(architecture), precision
    )


def run_our_file(path: Path, architecture: Architecture, size: Size, precision: str) -> ReadyEngine:
    """Run our export for one size in another runtime."""
    started = run_file(path, architecture, size)
    return ReadyEngine(started.run, started.work, precision)


def write_literal(model: Path, path: Path, size: Size) -> ReadyEngine:
    """Export the literal network with PyTorch's own exporter, for images of one size."""
    network = pytorch_fcn(model).eval()
    graph = path.with_suffix(".onnx")
    if not graph.exists():
        settings: dict[str, Any] = {"input_names": ["image"], "output_names": ["score"]}
        example = (torch.full((1, 3, *size), 127.0),)
        torch.onnx.export(
            network, example, graph, dynamo=True, external_data=False, verbose=False, **settings
        )
    if path.suffix == ".xml":
        import openvino

        read = openvino.Core().read_model(graph)
        openvino.save_model(read, path, compress_to_fp16=False)
    return ReadyEngine(lambda images: images)


def write_int8(source: Path, target: Path, images: Sequence[np.ndarray]) -> ReadyEngine:
    """Quantize a graph to int8 with the tools of its runtime."""
    quantize = exporter_for(source).quantize
    assert quantize
    quantize(source, target, images)
    return ReadyEngine(lambda images: images)


def run_torchvision(classes: int) -> ReadyEngine:
    """Run torchvision's FCN on ResNet-50 with output stride 8."""
    from torchvision.models.segmentation import fcn_resnet50

    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=classes).eval()
    return wrap(network, lambda x: network(x)["out"])


def run_smp(kind: str, classes: int) -> ReadyEngine:
    """Run a decoder of segmentation_models_pytorch on VGG-16."""
    import segmentation_models_pytorch as smp

    network = getattr(smp, kind)("vgg16", encoder_weights=None, classes=classes).eval()

    def forward(x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % 32, 0, -height % 32))  # only multiples of 32 are accepted
        return network(padded)[..., :height, :width]

    return wrap(network, forward)


def wrap(inner: nn.Module, forward: Callable[[Tensor], Tensor]) -> ReadyEngine:
    """Wrap a network of another package."""

    class Forward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: Tensor) -> Tensor:
            return forward(image)

    network = Forward()
    return ReadyEngine(as_function(network), lambda images: count_multiply_adds(network, images))


def run_training(path: Path, variant: str) -> ReadyEngine:
    """Run a step of SGD; the result is the gradient of the first convolution."""
    ours = load(path).network
    network: Any = pytorch_fcn(path) if variant == "pytorch-fcn" else ours
    ours.sparse_padding = variant == "border skipping"
    network.train()
    first = network.conv1_1 if variant == "pytorch-fcn" else network.backbone.conv1_1
    trained = [one for one in network.parameters() if one.requires_grad]
    # The learning rate is tiny, so that every step does the same.
    optimizer = torch.optim.SGD(trained, 1e-12, momentum=0.9)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            layer.p = 0.0  # dropped values depend on the memory layout

    def run(images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images)
        labels = (pixels[:, 0] / 256 * ours.classes).long()
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(network(pixels), labels).backward()
        optimizer.step()
        return first.weight.grad.numpy()

    def work(images: np.ndarray) -> int:
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            run(images)
        return counter.get_total_flops() // 2

    return ReadyEngine(run, work)


class Parts:
    """The variants of each part, for one model and one size.

    Args:
        model: model file of an FCN-8s on VGG-16 with padding 100.
        size: (height, width) of the image.
        folder: folder for the files of other runtimes.
        images: calibration images for int8.
        chosen: the command line.
    """

    def __init__(
        self,
        model: Path,
        size: Size,
        folder: Path,
        images: Sequence[np.ndarray],
        chosen: argparse.Namespace,
    ) -> None:
        self.model, self.size, self.folder, self.images = model, size, folder, images
        self.chosen, self.architecture = chosen, read_card(model).architecture
        self.left_out: list[str] = []

    def measure(self, part: str) -> Bench:
        """Measure all variants of a part in interleaved rounds."""
        self.left_out = []
        engines: list[Engine] = getattr(self, part)()
        chosen = self.chosen
        *_, bench = measure(
            engines,
            self.images[0],
            rounds=chosen.rounds,
            threads=chosen.threads,
            clock="cpu" if chosen.cpu else "wall",
            left_out=self.left_out,
        )
        return bench

    def fp32(self) -> list[Engine]:
        """Return the variants in single precision."""
        variants = ["channels_last", *(["compiled"] if self.chosen.compile else [])]
        return [
            self.literal(),
            *(
                Engine(f"{LITERAL}, {variant}", run_literal, (self.model, variant), PLAIN)
                for variant in variants
            ),
            *self.literal_files(int8=False),
            Engine("fullconv, border skipping", run_model, (self.model, "eager"), PLAIN),
            self.ours(),
            *self.our_files(int8=False),
        ]

    def int8(self) -> list[Engine]:
        """Return the literal network in single precision, and the int8 variants."""
        return [self.literal(), *self.literal_files(int8=True), *self.our_files(int8=True)]

    def others(self) -> list[Engine]:
        """Return other networks."""
        engines = [self.literal(), self.ours()]
        engines.append(Engine("torchvision fcn_resnet50", run_torchvision, (CLASSES,), PLAIN))
        if not find_spec("segmentation_models_pytorch"):
            self.left_out.append("smp: segmentation_models_pytorch is not installed")
            return engines
        kinds = ("Unet", "FPN")
        return engines + [Engine(f"smp {kind}", run_smp, (kind, CLASSES), PLAIN) for kind in kinds]

    def training(self) -> list[Engine]:
        """Return training steps; "literal" is our network without border skipping."""
        variants = ("pytorch-fcn", "literal", "border skipping")
        names = (LITERAL, "fullconv, literal", "fullconv, default")
        return [
            Engine(
                name,
                run_training,
                (self.model, variant),
                LARGE if variant == "border skipping" else PLAIN,
            )
            for name, variant in zip(names, variants, strict=True)
        ]

    def literal(self) -> Engine:
        """Return the baseline."""
        return Engine(LITERAL, run_literal, (self.model, "eager"), PLAIN)

    def ours(self) -> Engine:
        """Return the default of `fullconv predict` for several images."""
        return Engine(OURS, run_model, (self.model, "optimized"), LARGE)

    def literal_files(self, int8: bool) -> list[Engine]:
        """Return the literal network in other runtimes."""
        engines = []
        for suffix, title in SUFFIXES.items():
            path = self.file(title, "literal", suffix, write_literal, int8)
            if path:
                arguments = (path, self.architecture, "int8" if int8 else "fp32")
                engines.append(Engine(runtime_title(title, int8), run_literal_file, arguments))
        return engines

    def our_files(self, int8: bool) -> list[Engine]:
        """Return our exports for one size in other runtimes."""
        engines = []
        for suffix, title in SUFFIXES.items():
            path = self.file(f"fullconv, {title}", "ours", suffix, write_export, int8)
            if path:
                arguments = (path, self.architecture, self.size, "int8" if int8 else "fp32")
                name = f"fullconv, {runtime_title(title, int8)}"
                engines.append(Engine(name, run_our_file, arguments))
        return engines

    def file(
        self, title: str, name: str, suffix: str, write: Callable[..., ReadyEngine], int8: bool
    ) -> Path | None:
        """Return the path of a graph, written if it is missing; None if that fails."""
        path = self.folder / f"{name}-{self.size[0]}{suffix}"
        quantized = path.with_stem(f"{path.stem}-int8")
        threads = self.chosen.threads
        try:
            if not path.exists():
                print(f"writing {path.name}", file=sys.stderr)
                run_in_process(title, write, self.model, path, self.size, threads=threads)
            if int8 and not quantized.exists():
                print(f"writing {quantized.name}", file=sys.stderr)
                run_in_process(title, write_int8, path, quantized, self.images, threads=threads)
        except EngineError as error:
            self.left_out.append(str(error))
            return None
        return quantized if int8 else path


def runtime_title(title: str, int8: bool) -> str:
    """Return a runtime's name in the tables."""
    return f"{title} int8" if int8 else title


# The variants that the others of a part are compared with.
BASES = {
    "fp32": (LITERAL, "ONNX Runtime"),
    "int8": (LITERAL, "ONNX Runtime int8", "OpenVINO int8"),
    "others": (LITERAL, OURS),
    "training": (LITERAL, "fullconv, literal"),
}


def markdown(part: str, bench: Bench) -> str:
    """Return the table of a part."""
    clock = "CPU s" if bench.clock == "cpu" else "s"
    bases = [base for base in BASES[part] if base in {row.engine for row in bench.rows}]
    titles = ["variant", f"{clock} (quartiles)", *(f"x {base}" for base in bases), "GFLOP"]
    titles += ["GFLOP/s", "of peak", "memory", "difference", "same label"]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    times = {row.engine: [getattr(turn, bench.clock) for turn in row.timings] for row in bench.rows}
    for row in bench.rows:
        cells = [row.engine, spread(row.seconds, 3)]
        for base in bases:
            pairs = zip(times[base], times[row.engine], strict=True)
            cells.append(spread(Spread.of([slow / fast for slow, fast in pairs]), 2))
        cells += [
            "" if row.gflop is None else f"{row.gflop:.0f}",
            "" if row.rate is None else f"{row.rate:.0f}",
            "" if row.share is None else f"{row.share:.0%}",
            format_bytes(row.memory),
            "" if row.difference is None or part == "others" else f"{row.difference:.1e}",
            ""
            if row.agreement is None or part in ("others", "training")
            else f"{row.agreement:.2%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(value: Spread, digits: int) -> str:
    """Format a median and quartiles."""
    return f"{value.median:.{digits}f} ({value.low:.{digits}f}-{value.high:.{digits}f})"


def record(part: str, bench: Bench) -> str:
    """Return the section of a part for docs/benchmarks.md."""
    height, width = bench.size
    facts = ", ".join(f"{name} {value}" for name, value in bench.machine.items() if name != "date")
    peaks = "; ".join(f"{one} {spread(rate, 0)}" for one, rate in bench.peaks.items())
    lines = [f"### {part}, {height} x {width}", "", markdown(part, bench), ""]
    lines.append(
        f"{bench.machine['date']}: {facts}; {bench.threads} threads, {bench.rounds} rounds."
    )
    lines.append(f"Large matrix product, GFLOP/s: {peaks}.")
    lines += [f"Left out: {line}." for line in bench.left_out]
    return "\n".join(lines) + "\n"


def random_model(folder: Path, width: float, hidden: int | None) -> Path:
    """Save the paper's network with random weights as a model file."""
    torch.manual_seed(0)
    network = create_model("fcn8s-vgg16", CLASSES, padding=100, width=width, hidden=hidden)
    for layer in network.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    path = folder / "model.safetensors"
    Model(network, [f"class {number}" for number in range(CLASSES)]).save(path)
    return path


def trained_model(path: Path) -> Path:
    """Return the model file, if it has the architecture of pytorch-fcn."""
    actual = read_card(model_file(path)).architecture
    expected = Architecture(name="fcn8s-vgg16", classes=actual.classes, padding=100)
    free = {"width": actual.width, "hidden": actual.hidden}
    if actual != expected.model_copy(update=free):
        raise ConfigError(f"{path} is {actual.name}; expected fcn8s-vgg16 with --padding 100")
    return model_file(path)


def sample_images(source: str, size: Size, most: int) -> list[np.ndarray]:
    """Return crops of the images of a data set, each (1, 3, height, width)."""
    samples = open_data(source, "train")
    return [to_batch(crop_or_tile(samples[i].image, size)) for i in range(min(len(samples), most))]


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=list(BASES), default=list(BASES))
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 500])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a shared machine")
    parser.add_argument("--compile", action="store_true", help="also torch.compile (a minute each)")
    parser.add_argument("--model", type=Path, help="trained model: run folder or file")
    parser.add_argument("--data", default="scenes:40", help="images to predict and to calibrate on")
    parser.add_argument("--calibration", type=int, default=8, help="number of calibration images")
    parser.add_argument("--width", type=float, default=1.0, help="channel multiplier, for a trial")
    parser.add_argument("--hidden", type=int, help="channels of fc6 and fc7, for a trial")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure the chosen parts, and print them as Markdown."""
    chosen = options()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        model = (
            trained_model(chosen.model)
            if chosen.model
            else random_model(folder, chosen.width, chosen.hidden)
        )
        for side in chosen.sizes:
            images = sample_images(chosen.data, (side, side), chosen.calibration)
            with tempfile.TemporaryDirectory(dir=folder) as files:  # gigabytes
                parts = Parts(model, (side, side), Path(files), images, chosen)
                for part in chosen.only:
                    bench = parts.measure(part)
                    results.append({"part": part, **bench.as_json()})
                    print(record(part, bench), flush=True)
                    if chosen.json:  # after every part, in case a later one is interrupted
                        chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    try:
        main()
    except FullconvError as error:
        sys.exit(str(error))
