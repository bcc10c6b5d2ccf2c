"""An image that is larger than an engine has memory for: windows, the whole, and PyTorch's strips.

    python benchmarks/engine_windows.py models/camvid/fcn4s-lite0.safetensors --threads 1 --cpu

Prints the seconds of each way, the work of the windows relative to the whole, and by how much their
scores and labels differ from the whole's.
"""

import time
from argparse import ArgumentParser
from collections.abc import Callable

import numpy as np
import torch

import fullconv as fc
from fullconv.engines import TITLES, installed_engines
from fullconv.inference.planner import engine_windows
from fullconv.inference.prediction import Prediction


def main() -> None:
    """Measure one model at one size."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--size", default="2000x3000", help="HxW")
    parser.add_argument("--limit", type=int, default=4_000_000, help="pixels at once")
    parser.add_argument("--strips", default="900MiB", help="memory for PyTorch's strips")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a shared machine")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = time.process_time if chosen.cpu else time.perf_counter
    height, width = map(int, chosen.size.split("x"))
    coarse = np.random.default_rng(0).integers(0, 256, (height // 40 + 1, width // 40 + 1, 3))
    photo = np.kron(coarse, np.ones((40, 40, 1)))[:height, :width].astype(np.uint8)
    for engine in installed_engines():
        model = fc.load(chosen.model).optimize(engine)
        whole = timed(f"{TITLES[engine]}, whole", lambda m=model: m.predict(photo), clock)
        model.network.engine.most_pixels = chosen.limit
        windows = engine_windows(model.network, model.network_input(photo).shape[:2])
        if windows is None:
            print("  no division costs little enough")
            continue
        parts = timed(
            f"{TITLES[engine]}, windows", lambda m=model: m.predict(photo, scores=True), clock
        )
        differing = float((parts.score - whole.score).abs().max() / whole.score.abs().max())
        unequal = int((parts.labels != whole.labels).sum())
        print(
            f"  {windows.work:.2f} times the work; scores differ by {differing:.1e} of the "
            f"largest, labels at {unequal} pixels"
        )
    plain = fc.load(chosen.model)
    timed("PyTorch, strips", lambda: plain.predict(photo, memory=chosen.strips), clock)
    timed("PyTorch, optimized", lambda: plain.optimize("torch").predict(photo), clock)


def timed(name: str, predict: Callable[[], Prediction], clock: Callable[[], float]) -> Prediction:
    """Print the seconds of a prediction and return it."""
    start = clock()
    found = predict()
    planned = found.plan
    assert planned is not None
    print(f"{name}: {clock() - start:.2f} s ({planned.kind}, {planned.rows} x {planned.columns})")
    return found


if __name__ == "__main__":
    main()
