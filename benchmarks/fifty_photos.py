"""What fifty photos and fifteen minutes on a CPU give: fullconv's default and other software.

    python benchmarks/fifty_photos.py nuclei=SETS/nuclei cracks=SETS/cfd camvid=camvid:CAMVID
    python benchmarks/fifty_photos.py nuclei=SETS/nuclei --minutes 0.3 --seeds 1      a first look

Every candidate gets the same photos (at most 50 of train, evenly spaced; all of val), minutes,
cores and, where it can take them, the same encoder weights (EfficientNet-Lite2 on ImageNet). Each
trial is a process of its own, `_fifty_photos_trial.py`, which also evaluates: one confusion matrix
over val at the photos' own size, by the same code for all. A line
per trial is added to --results; the same command resumes after an interruption, and prints the
tables at the end. Other software is installed by pip into --peers, which no other Python sees.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _fifty_photos_trial import CANDIDATES
from _sets import write_set

from fullconv.data.formats import open_data
from fullconv.export.quantize import evenly_spaced
from fullconv.io.atomic import write_text
from fullconv.units import count, format_bytes

PHOTOS = 50
# Without what they need, which fullconv's own environment has: torch, timm, numpy, pydantic, ...
PEERS = (
    "segmentation-models-pytorch==0.6.0",
    "albumentations==2.0.8",
    "albucore==0.0.24",
    "opencv-python-headless>=4.10",
    "stringzilla>=3.10",
    "simsimd>=5.9",
)


def install(folder: Path) -> None:
    """Install the other software into a folder, once."""
    listed = "\n".join(PEERS)
    done = folder / "installed.txt"
    if done.is_file() and done.read_text() == listed:
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    subprocess.run([*command, "--target", str(folder), *PEERS], check=True)
    done.write_text(listed)


def prepare(name: str, source: str, folder: Path) -> Path:
    """Write a data set as images, masks, lists and classes.txt, which every candidate reads."""
    place = folder / name
    if (place / "val.txt").is_file():
        return place
    train, val = open_data(source, "train"), open_data(source, "val")
    train = train.take(evenly_spaced(len(train), PHOTOS))
    write_set(place, train, val)
    return place


def run_trial(trial: dict[str, Any], place: Path, peers: Path) -> dict[str, Any] | None:
    """Run a trial in a process of its own and return its result; None if it failed."""
    script = Path(__file__).with_name("_fifty_photos_trial.py")
    options = [trial["candidate"], place, trial["minutes"], trial["seed"], trial["cores"], peers]
    ran = subprocess.run(
        [sys.executable, str(script), *map(str, options)], stdout=subprocess.PIPE, text=True
    )
    lines = ran.stdout.splitlines()
    if ran.returncode or not lines:
        print(f"failed: {trial}", file=sys.stderr)
        return None
    return trial | json.loads(lines[-1])


def tables(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table per set and number of minutes, the best candidate first."""
    keys = ("set", "minutes", "cores")
    for same in dict.fromkeys(tuple(one[key] for key in keys) for one in results):
        group = [one for one in results if tuple(one[key] for key in keys) == same]
        name, minutes, cores = same
        classes = [*group[0]["iou"]]
        yield f"\n### {name}, {minutes:g} minutes on {count(cores, 'core')}\n"
        titles = ("candidate", "seeds", "mean IoU", *classes)
        yield f"| {' | '.join(titles)} | minutes | memory | steps |"
        yield "|---" * (len(titles) + 3) + "|"
        rows = [
            (candidate, [one for one in group if one["candidate"] == candidate])
            for candidate in dict.fromkeys(one["candidate"] for one in group)
        ]
        for candidate, found in sorted(rows, key=lambda row: -_mean(row[1], "mean_iou")):
            scores = [100 * one["mean_iou"] for one in found]
            spread = f" ({min(scores):.1f} to {max(scores):.1f})" if len(found) > 1 else ""
            columns = [candidate, str(len(found)), f"{np.mean(scores):.1f}{spread}"]
            columns += [f"{100 * np.mean([one['iou'][c] for one in found]):.1f}" for c in classes]
            columns.append(f"{_mean(found, 'train_minutes'):.1f}")
            columns.append(format_bytes(max(one["peak_bytes"] for one in found)))
            columns.append(f"{_mean(found, 'steps'):.0f}")
            yield f"| {' | '.join(columns)} |"


def _mean(results: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.mean([one[key] for one in results]))


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read the finished trials; a last line that was cut off by an interruption does not count."""
    lines = path.read_text().split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", metavar="NAME=DATA", help="data sets as for train")
    parser.add_argument("--minutes", type=float, default=15, help="of each training (default 15)")
    parser.add_argument("--seeds", type=int, default=3, help="trials of each (default 3)")
    parser.add_argument("--cores", type=int, default=2, help="CPU cores (default 2)")
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=[*CANDIDATES])
    parser.add_argument("--peers", type=Path, default=Path("runs/fifty_photos/peers"))
    parser.add_argument("--data", type=Path, default=Path("runs/fifty_photos/data"))
    parser.add_argument(
        "--results", type=Path, default=Path("runs/fifty_photos/results.jsonl"), help="JSON lines"
    )
    parser.add_argument("--table-only", action="store_true", help="print the tables, run nothing")
    return parser.parse_args()


def main() -> int:
    """Run what is missing in the results, then print the tables; 1 if a trial failed."""
    given = parse()
    results = read_results(given.results)
    failed = False
    if not given.table_only:
        if hasattr(os, "sched_setaffinity"):  # the same cores for all; children inherit them
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
        install(given.peers)
        given.results.parent.mkdir(parents=True, exist_ok=True)
        if results or given.results.is_file():  # without a line that was cut off
            write_text(given.results, "".join(f"{json.dumps(one)}\n" for one in results))
    keys = ("set", "candidate", "seed", "minutes", "cores")
    done = {tuple(one[key] for key in keys) for one in results}
    sets = dict(text.partition("=")[::2] for text in given.sets)
    trials = [
        dict(zip(keys, (name, candidate, seed, given.minutes, given.cores), strict=True))
        for seed in range(given.seeds)
        for name in sets
        for candidate in given.candidates
    ]
    missing = [trial for trial in trials if tuple(trial.values()) not in done]
    for trial in () if given.table_only else missing:
        place = prepare(trial["set"], sets[trial["set"]], given.data)
        print("running", *trial.values(), file=sys.stderr, flush=True)
        result = run_trial(trial, place, given.peers)
        if result is None:
            failed = True
            continue
        results.append(result)
        with given.results.open("a") as file:
            file.write(f"{json.dumps(result)}\n")
    print("\n".join(tables([one for one in results if one["set"] in sets])))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
