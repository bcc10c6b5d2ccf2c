"""How much sooner the paper's FCN-8s answers: the exact short cut, optimised, and other engines.

Run: python benchmarks/frame.py [--threads 2] [--rounds 7] [--sides 256 500] [--cpu]. FCN-8s on
VGG-16, 21 classes, padding 100, random weights, one square image. `literal eager` computes all of
the padding with plain PyTorch; the other engines run the literal network too. All ways run in turn;
ratios are medians over the rounds, with their range.
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


def network() -> FCN:
    """The paper's network."""
    torch.manual_seed(0)
    made = create_model("fcn8s-vgg16", 21, padding=100).eval()
    for layer in made.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    return made


def ours(made: FCN, image: Tensor) -> dict[str, Run]:
    """The network literally, with the short cut, and optimised."""
    optimize(made)
    quick = made.optimized_backbone

    def way(short_cut: bool, optimised: bool) -> Run:
        def run() -> Tensor:
            made.sparse_padding, made.optimized_backbone = short_cut, quick if optimised else None
            return made(image)

        return run

    return {
        "literal eager": way(False, False),
        "short cut": way(True, False),
        "optimised (default for many photos)": way(True, True),
    }


def exported(made: FCN, image: Tensor, folder: Path) -> Path:
    """The literal network as ONNX."""
    made.sparse_padding, made.optimized_backbone = False, None
    file = folder / "literal.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(made, (image,), file, dynamo=True, external_data=True, verbose=False)
    return file


def onnx_runtime(file: Path, image: Tensor, threads: int) -> Run:
    """The file in ONNX Runtime, single precision."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, given)[0]


def openvino(file: Path, image: Tensor, threads: int) -> Run:
    """The file in OpenVINO, single precision."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(file, "CPU", settings)
    return lambda: compiled([image.numpy()])[0]


ENGINES = {"ONNX Runtime, literal": onnx_runtime, "OpenVINO, literal": openvino}


def measure(side: int, chosen: Namespace, folder: Path) -> None:
    """One table."""
    made = network()
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 255
    ways: dict[str, Run] = {}
    bases = ["literal eager"]
    with torch.no_grad():
        file = exported(made, image, folder)
    for name, engine in ENGINES.items():
        try:
            ways[name] = engine(file, image, chosen.threads)
        except ImportError:
            print(f"{name}: not installed")
    bases += [name for name in ways if name.startswith("ONNX")]
    with torch.inference_mode():
        ways = ours(made, image) | ways
        answers = {name: torch.as_tensor(run()) for name, run in ways.items()}
        seconds = interleaved(ways, chosen.rounds, chosen.cpu)
    print(f"\n{side} x {side}: {machine(chosen.threads)}")
    print(table(seconds, *bases))
    expected = answers["literal eager"]
    for name, answer in answers.items():
        difference = (answer - expected).abs().max() / expected.abs().max()
        flips = (answer.argmax(1) != expected.argmax(1)).sum()
        print(f"{name:34} {difference:.1e} of the largest score, {flips} labels differ")


def main() -> None:
    """Measure every side."""
    chosen = options(__doc__ or "")
    for side in chosen.sides:
        with tempfile.TemporaryDirectory() as folder:
            measure(side, chosen, Path(folder))


if __name__ == "__main__":
    main()
