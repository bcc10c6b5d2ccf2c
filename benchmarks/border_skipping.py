"""Speed-up of the paper's FCN-8s by border skipping and optimization, and by other runtimes.

Run: python benchmarks/border_skipping.py [--threads 2] [--rounds 7] [--sides 256 500] [--cpu].
FCN-8s on VGG-16, 21 classes, padding 100, random weights, one square image. `literal eager`
computes all of the padding with plain PyTorch; the other runtimes run this literal network too. All
variants run in interleaved rounds; ratios are medians over the rounds, with their range.
"""

import os
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from _timing import interleaved, machine, options, table
from torch import Tensor, nn

from fullconv.inference.cpu.optimize import optimize
from fullconv.networks.fcn import FCN, create_model

Run = Callable[[], object]


def create_network() -> FCN:
    """Create the paper's network with random weights."""
    torch.manual_seed(0)
    network = create_model("fcn8s-vgg16", 21, padding=100).eval()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    return network


def pytorch_variants(network: FCN, image: Tensor) -> dict[str, Run]:
    """Return the network without and with border skipping, and optimized."""
    optimize(network)
    backbone = network.optimized_backbone

    def variant(skip: bool, optimized: bool) -> Run:
        def run() -> Tensor:
            network.sparse_padding = skip
            network.optimized_backbone = backbone if optimized else None
            return network(image)

        return run

    return {
        "literal eager": variant(False, False),
        "border skipping": variant(True, False),
        "optimized (default for many images)": variant(True, True),
    }


def export_literal(network: FCN, image: Tensor, folder: Path) -> Path:
    """Export the literal network to ONNX."""
    network.sparse_padding, network.optimized_backbone = False, None
    file = folder / "literal.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (image,), file, dynamo=True, external_data=True, verbose=False)
    return file


def onnx_runtime(file: Path, image: Tensor, threads: int) -> Run:
    """Open the file in ONNX Runtime, in single precision."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, inputs)[0]


def openvino(file: Path, image: Tensor, threads: int) -> Run:
    """Open the file in OpenVINO, in single precision."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(file, "CPU", settings)
    return lambda: compiled([image.numpy()])[0]


RUNTIMES = {"ONNX Runtime, literal": onnx_runtime, "OpenVINO, literal": openvino}


def measure(side: int, chosen: Namespace, folder: Path) -> None:
    """Print the table of one image size."""
    network = create_network()
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 255
    variants: dict[str, Run] = {}
    bases = ["literal eager"]
    with torch.no_grad():
        file = export_literal(network, image, folder)
    for name, open_file in RUNTIMES.items():
        try:
            variants[name] = open_file(file, image, chosen.threads)
        except ImportError:
            print(f"{name}: not installed")
    bases += [name for name in variants if name.startswith("ONNX")]
    with torch.inference_mode():
        variants = pytorch_variants(network, image) | variants
        scores = {name: torch.as_tensor(run()) for name, run in variants.items()}
        seconds = interleaved(variants, chosen.rounds, chosen.cpu)
    print(f"\n{side} x {side}: {machine(chosen.threads)}")
    print(table(seconds, *bases))
    expected = scores["literal eager"]
    for name, score in scores.items():
        difference = (score - expected).abs().max() / expected.abs().max()
        changed = (score.argmax(1) != expected.argmax(1)).sum()
        print(f"{name:34} {difference:.1e} of the largest score, {changed} labels differ")


def main() -> None:
    """Measure every side."""
    chosen = options(__doc__ or "")
    for side in chosen.sides:
        with tempfile.TemporaryDirectory() as folder:
            measure(side, chosen, Path(folder))


if __name__ == "__main__":
    main()
