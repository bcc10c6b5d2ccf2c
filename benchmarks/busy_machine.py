"""How much longer training and prediction take while other programs use all cores.

Run: python benchmarks/busy_machine.py [--rounds 5] [--seconds 1.5] [--load CORES].
Measures a step of training on the included photos of nuclei with the default network, an
evaluation of eight photos, and single predictions with the model that comes with fullconv on 360 x
480 pixels: plain, and in each engine that is installed. Each setting has its own process, which
sleeps while the others compute; all run in turns, first on the machine as it is, then beside
`--load` processes that never wait. These start anew in each round, since the cores that the system
gives them decide as much as the setting does. The setting "PyTorch's" has its own waiting of
threads and computes each batch whole.
"""

import os
import statistics
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _processes import WORK, Tasks, work, workers

MODEL = Path(__file__).parents[1] / "models/camvid/fcn4s-lite2.safetensors"
SETTINGS = {"fullconv's": {}, "PyTorch's": {"GOMP_SPINCOUNT": "300000", "WHOLE": "1"}}
LIMIT = 2.5  # times as long: more is printed with a mark


def tasks() -> Tasks:
    """Return what is measured, in this process."""
    import numpy as np

    import fullconv as fc
    from fullconv.config import RunConfig
    from fullconv.engines import installed_engines
    from fullconv.evaluation.scored_samples import score_samples
    from fullconv.training.initial_model import start_model
    from fullconv.training.resolve import resolve
    from fullconv.training.resolve_network import resolve_network
    from fullconv.training.trainer import Trainer

    photos = fc.open_data("samples:nuclei", "train")
    parts = 1 if os.environ.get("WHOLE") else None
    given = RunConfig(data=photos.source, steps=10**6, ema=0.99, parallel_parts=parts)
    config, _ = resolve_network(resolve(given, photos)[0], photos)
    model, _ = start_model(config, photos)
    steps = Trainer(model, photos, config).run()
    plain = fc.load(MODEL)
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    other = fc.Model(fc.create_model("fcn4s-efficientnet_lite2", 2), photos.classes)
    names = ("torch", *installed_engines())
    engines = {f"Model.predict, {name}": fc.load(MODEL).optimize(name) for name in names}

    def prediction(model: fc.Model) -> Callable[[], object]:
        return lambda: model.predict(image)

    return {
        "step of training": lambda: next(steps),
        "evaluation of 8 photos": lambda: list(score_samples(other, photos.take(range(8)))),
        "Model.predict": prediction(plain),
        **{name: prediction(model) for name, model in engines.items()},
    }


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this many cores busy."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def main() -> None:
    """Measure every setting, idle and beside other programs."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--load", type=int, default=os.cpu_count(), help="processes beside")
    chosen = parser.parse_args()
    with workers(SETTINGS) as measured:
        names = measured.names
        idle = measured.rounds(chosen.rounds, chosen.seconds)
        loaded: dict[tuple[str, int], list[float]] = {}
        for _ in range(chosen.rounds):
            with busy(chosen.load):
                for key, times in measured.rounds(1, chosen.seconds).items():
                    loaded.setdefault(key, []).extend(times)
    print(f"{'':26} {'setting':12} {'idle ms':>9} {'busy ms':>9} {'times as long (range)':>23}")
    for number, task in enumerate(names):
        for name in SETTINGS:
            before, beside = (statistics.median(times[name, number]) for times in (idle, loaded))
            mark = " *" if beside > LIMIT * before else ""
            least, most = (one(loaded[name, number]) / before for one in (min, max))
            ratio = f"{beside / before:.2f} ({least:.2f}-{most:.2f})"
            row = f"{1e3 * before:9.1f} {1e3 * beside:9.1f} {ratio:>23}{mark}"
            print(f"{task:26} {name:12} {row}")
    print(f"* more than {LIMIT} times; {chosen.load} processes beside, {os.cpu_count()} cores")


if __name__ == "__main__":
    if WORK in sys.argv:
        work(tasks())
    else:
        main()
