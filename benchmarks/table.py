"""The table "what you run, ms, times as fast as": measured, and written into the pages.

    python benchmarks/table.py --run          measure (some 10 minutes on 2 idle cores), and print
    python benchmarks/table.py --run --write  also write the table into README.md and docs/speed.md
    python benchmarks/table.py --write        write what an earlier run has measured

The measurements are those of `engines.py`, `peers.py` and `bulk.py`, which write a JSON file each
into --folder. Of several engines, the row of the fastest is shown; ratios are medians of rounds.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from fullconv.engines import TITLES, installed_engines
from fullconv.hardware import processor_name, usable_cores
from fullconv.io.atomic import write_text

ROOT = Path(__file__).parents[1]
SHIPPED = "models/camvid/fcn4s-lite2.safetensors"
NAMES = {
    SHIPPED: "the CamVid model",
    "fcn4s-resnet18": "FCN-4s on ResNet-18",
    "fcn4s-mobilenetv3_large_100": "FCN-4s on MobileNetV3-Large",
    "fcn4s-convnext_tiny": "FCN-4s on ConvNeXt-Tiny",
}
PEERS = ["peers.py", "--rounds", "4", "--calibration", "2", "--only"]
BULK = ["bulk.py", SHIPPED, "--small", "200", "--large", "8", "--rounds", "2", "--engines"]
RUNS = {
    "engines": ["engines.py", *NAMES, "--rounds", "7"],
    "peers-256": [*PEERS, "fp32", "--sizes", "256"],
    "peers-500": [*PEERS, "fp32", "int8", "--sizes", "500"],
    "bulk": [*BULK, *(installed_engines() or ["torch"])],
}
START, END = "<!-- speed table: python benchmarks/table.py -->", "<!-- end of the speed table -->"
TITLE = ("what you run", "ms", "times as fast as")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what a user runs.
        ms: milliseconds of an image.
        peers: name -> how many times as fast it is as that.
        short: whether it is also in the README.
    """

    what: str
    ms: float
    peers: dict[str, float]
    short: bool = False

    def __str__(self) -> str:
        peers = ", ".join(f"{times:.2f} x {name}" for name, times in self.peers.items())
        return f"| {self.what} | {self.ms:.0f} | {peers} |"


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Return how many times as fast: the median of the ratios within a round."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


def engine_rows(results: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield a row for each network: `Model.predict` in the fastest engine."""
    for result in results:
        seconds = result["seconds"]
        engine = min(result["engines"], key=lambda name: median(seconds[f"{name} predict"]))
        own = seconds[f"{engine} predict"]
        peers = {f"{TITLES[engine]} alone": ratio(seconds[engine], own)}
        if engine != "torch":
            peers |= {"PyTorch, optimized": ratio(seconds["torch predict"], own)}
        what = f"`Model.predict`, {NAMES.get(result['model'], result['model'])}, {result['size']}"
        is_short = result["model"] == SHIPPED
        yield Row(f"{what} ({TITLES[engine]})", 1e3 * median(own), peers, is_short)


def peer_rows(results: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield rows of FCN-8s on VGG-16: the fastest of ours in fp32, each of ours in int8."""
    for result in results:
        part, clock = result["part"], result["clock"]
        seconds = {row["engine"]: [t[clock] for t in row["timings"]] for row in result["rows"]}
        ours = [name for name in seconds if name.startswith("fullconv")]
        others = [name for name in seconds if name not in ours]
        if part == "fp32":
            ours = [min(ours, key=lambda name: median(seconds[name]))]
        for name in ours:
            engine = name.removeprefix("fullconv, ")
            compared = [one for one in others if part == "fp32" or one == engine]
            peers = {one: ratio(seconds[one], seconds[name]) for one in compared}
            size = " x ".join(map(str, result["size"]))
            what = f"FCN-8s on VGG-16, padding 100, {size}, {part} ({engine})"
            yield Row(what, 1e3 * median(seconds[name]), peers, short=size == "500 x 500")


def bulk_rows(results: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield a row for each size of photos: `fullconv predict` in the fastest engine."""
    for size in dict.fromkeys(result["size"] for result in results):
        found = [result for result in results if result["size"] == size]
        best = max(found, key=lambda result: float(result["rates"]["predict"]))
        title, bound = TITLES[best["engine"]], best["bound"]
        what = f"`fullconv predict FOLDER`, {NAMES.get(best['model'], best['model'])}, {size}"
        peer = f"a loop of the same engine (at most {bound:.2f} with all cores busy)"
        yield Row(f"{what} ({title})", 1e3 / best["rates"]["predict"], {peer: best["ratio"]}, True)


def run(folder: Path) -> None:
    """Run the benchmarks, each of which writes a JSON file while it runs; earlier ones are removed.

    What is there when it is interrupted can be written into the pages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUNS:
        (folder / f"{name}.json").unlink(missing_ok=True)
    facts = {"date": str(date.today()), "processor": processor_name(), "cores": usable_cores()}
    (folder / "machine.json").write_text(json.dumps(facts))
    start = time.monotonic()
    for name, (script, *arguments) in RUNS.items():
        file = str((folder / f"{name}.json").absolute())
        command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments, "--json", file]
        subprocess.run(command, check=True, cwd=ROOT)
        print(f"{name}: {(time.monotonic() - start) / 60:.1f} minutes so far", flush=True)


def read(folder: Path, name: str) -> Any:
    """Return the results of one benchmark; [] if it did not run.

    Raises:
        SystemExit: the file is not JSON.
    """
    path = folder / f"{name}.json"
    try:
        return json.loads(path.read_text()) if path.is_file() else []
    except ValueError:
        sys.exit(f"{path}: not JSON; run the benchmark again: python benchmarks/table.py --run")


def format_table(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    """Return the table as Markdown, with the machine and the date below it."""
    head = [f"| {' | '.join(TITLE)} |", "|---|---|---|"]
    facts = f"{machine['processor']}, {machine['cores']} cores, {machine['date']}"
    return "\n".join([*head, *map(str, rows), "", f"{facts}; `python benchmarks/table.py --run`."])


def insert(text: str, table: str) -> str:
    """Return a page with the table between its marks.

    Raises:
        ValueError: the page has no marks.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"no place for the table: expected {START} and {END}")
    return f"{before}{START}\n\n{table}\n\n{END}{after}"


def main() -> None:
    """Run the benchmarks if asked to, then print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", action="store_true", help="measure first")
    parser.add_argument("--write", action="store_true", help="write the table into the pages")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "speed")
    chosen = parser.parse_args()
    if chosen.run:
        run(chosen.folder)
    machine = read(chosen.folder, "machine")
    if not machine:
        sys.exit(f"{chosen.folder} has no measurements; run: python benchmarks/table.py --run")
    rows = [
        *engine_rows(read(chosen.folder, "engines")),
        *peer_rows(read(chosen.folder, "peers-256") + read(chosen.folder, "peers-500")),
        *bulk_rows(read(chosen.folder, "bulk")),
    ]
    print(format_table(rows, machine))
    if chosen.write:
        short = format_table([row for row in rows if row.short], machine)
        for name, table in (("README.md", short), ("docs/speed.md", format_table(rows, machine))):
            page = ROOT / name
            write_text(page, insert(page.read_text(encoding="utf-8"), table))
        # The Chinese page refers to the table, so it is as current as before.
        done = [str(ROOT / "scripts" / "translations.py"), "--done", "docs/zh/README.md"]
        subprocess.run([sys.executable, *done], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
