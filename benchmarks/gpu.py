"""Ways to compute a network on a GPU: the layout of maps, 16 bits, CUDA graphs, border skipping.

    python benchmarks/gpu.py fcn8s-vgg16 --padding 100 --sizes 256x256 500x500
    python benchmarks/gpu.py models/camvid/fcn4s-lite2.safetensors --sizes 360x480

Medians of interleaved rounds, and the speed relative to the first way, which is what other programs
do; the image is on the GPU before, and its scores stay there. Differences are relative to the
largest score of the first way.
"""

import argparse
import copy
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import torch
from _timing import open_model
from torch import Tensor

from fullconv.networks.fcn import FCN

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Way:
    """A way to compute a network.

    Attributes:
        name: for the table.
        skips_borders: whether the padding is computed only where the image influences it.
        channels_last: layout of the maps.
        precision: of autocast; None for float32.
        graph: whether the calls of a GPU are recorded once and replayed (CUDA graph).
    """

    name: str
    skips_borders: bool = True
    channels_last: bool = False
    precision: torch.dtype | None = None
    graph: bool = False


WAYS = (
    Way("literal", skips_borders=False),
    Way("literal, bfloat16, channels last", False, True, torch.bfloat16),
    Way("ours"),
    Way("ours, channels last", channels_last=True),
    Way("ours, bfloat16, channels last", True, True, torch.bfloat16),
    Way("ours, CUDA graph", graph=True),
    Way("ours, bfloat16, channels last, CUDA graph", True, True, torch.bfloat16, True),
)


@dataclass(frozen=True)
class Row:
    """What one way takes.

    Attributes:
        name: of the way.
        ms: median milliseconds of an image.
        times: as fast as the first way, the median of the rounds.
        difference: largest of a score, relative to the largest of the first way.
    """

    name: str
    ms: float
    times: float
    difference: float


def ready(network: FCN, image: Tensor, way: Way) -> Run:
    """Return a function that computes the scores of one image, on the image's device.

    Args:
        network: in evaluation mode; it is moved to the device, and its layout is changed.
        image: (1, 3, H, W) in [0, 255].
        way: how; a CUDA graph needs a GPU.
    """
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    given, precision = image.contiguous(memory_format=layout), way.precision
    network = network.to(image.device, memory_format=layout)
    network.sparse_padding = way.skips_borders

    @torch.no_grad()
    def run() -> Tensor:
        with torch.autocast(image.device.type, precision, enabled=precision is not None):
            scores: Tensor = network(given)
        return scores

    return recorded(run) if way.graph else run


def recorded(run: Run) -> Run:
    """Return a function that replays the calls of `run` on the GPU."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what is chosen and allocated once must not be recorded
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        scores = run()

    def replay() -> Tensor:
        graph.replay()
        return scores

    return replay


def seconds(run: Run, device: torch.device, calls: int) -> float:
    """Return the mean seconds of consecutive calls, all of their work on the device included."""
    wait(device)
    start = perf_counter()
    for _ in range(calls):
        run()
    wait(device)
    return (perf_counter() - start) / calls


def wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; a CPU has when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(
    network: FCN, image: Tensor, ways: Sequence[Way], rounds: int, calls: int = 10
) -> Iterator[Row]:
    """Yield a row for each way; all are measured in every round."""
    # A copy for each way: the weights have a layout, too, and a graph keeps their addresses.
    runs = [ready(copy.deepcopy(network), image, way) for way in ways]
    scores = [run().float().clone() for run in runs]
    taken = [[seconds(run, image.device, calls) for run in runs] for _ in range(rounds)]
    first = scores[0].abs().max()
    for way, found, times in zip(ways, scores, zip(*taken, strict=True), strict=True):
        faster = statistics.median(row[0] / own for row, own in zip(taken, times, strict=True))
        difference = float((found - scores[0]).abs().max() / first)
        yield Row(way.name, 1e3 * statistics.median(times), faster, difference)


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="fcn8s-vgg16", help="model file or network")
    parser.add_argument("--padding", type=int, help="of a network, e.g. the paper's 100")
    parser.add_argument("--sizes", nargs="+", default=["256x256", "500x500"], help="HxW")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Print a table for each size."""
    chosen = options()
    if not torch.cuda.is_available():
        sys.exit("gpu.py: PyTorch finds no GPU (CUDA) on this machine; nothing was measured")
    settings = {} if chosen.padding is None else {"padding": chosen.padding}
    network = open_model(chosen.model, **settings).network.eval()
    results = []
    for size in chosen.sizes:
        image = torch.rand(1, 3, *map(int, size.split("x")), device="cuda") * 255
        rows = list(measure(network, image, WAYS, chosen.rounds))
        print(
            f"\n{chosen.model}, {size}, {torch.cuda.get_device_name()}, torch {torch.__version__}"
        )
        for row in rows:
            print(
                f"{row.name:42}{row.ms:9.2f} ms{row.times:7.2f} x   differs by {row.difference:.1e}"
            )
        results.append({"model": chosen.model, "size": size, "rows": [asdict(row) for row in rows]})
        if chosen.json:
            chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
