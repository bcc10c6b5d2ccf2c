"""Fuzz every parser: mutants of valid inputs through the command line, under limits.

    python tests/fuzz/run.py --mutants 5000 --seed 1 [--jobs 2] [--parser coco] [--first N]

Prints the verdicts by parser, then every kind of failure with the command that repeats it. Exits
with 1 if there is any.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

BATCH = 250  # mutants of a process
STUCK = 90  # seconds without a verdict until a process is killed
GOOD = ("ok", "refused")


def fuzz(mutants, seed=1, jobs=2, parser="", first=0):
    """Run mutants and return their records, in order."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        root = Path(folder)
        make_seeds(root)
        last = first + mutants
        size = min(BATCH, -(-mutants // jobs))
        batches = [(n, min(n + size, last)) for n in range(first, last, size)]
        with ThreadPoolExecutor(jobs) as pool:
            found = pool.map(lambda batch: run_batch(root, seed, *batch, parser), batches)
            return [record for records in found for record in records]


def make_seeds(root):
    """Write the seeds in a process of their own."""
    code = (
        "from pathlib import Path; from seed import store; from seeds import build; "
        f"root = Path({str(root)!r}); store(root / 'seeds.json', build(root / 'seeds'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"the seeds could not be written:\n{done.stderr[-3000:]}")


def environment():
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def run_batch(root, seed, first, last, parser):
    """Run mutants in a process; one at which it dies or gets stuck has failed, the next follows."""
    records = []
    work, verdicts = root / f"work-{first}", root / f"verdicts-{first}.jsonl"
    printed = root / f"printed-{first}.txt"  # a file never fills up, as a pipe would
    while first < last:
        verdicts.unlink(missing_ok=True)
        arguments = [root / "seeds.json", work, verdicts, seed, first, last, parser]
        with printed.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, HERE / "worker.py", *map(str, arguments)],
                env=environment(), stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
            verdict = wait(process, verdicts)
        lines = (
            [json.loads(line) for line in verdicts.read_text().splitlines()]
            if verdicts.exists()
            else []
        )
        done = [line for line in lines if "verdict" in line]
        records += done
        first = done[-1]["number"] + 1 if done else first
        if first < last and not verdict:
            verdict = "crash"
        if first < last:
            if not lines:
                raise RuntimeError(f"a worker does not start:\n{printed.read_text()[-3000:]}")
            records.append(
                {
                    "number": first,
                    "verdict": verdict,
                    "parser": "?",
                    "error": f"the process ended with {process.returncode}",
                }
            )
            first += 1
    shutil.rmtree(work, ignore_errors=True)
    return records


def wait(process, verdicts):
    """Wait for a process; kill it and return "stuck" if it reports nothing for long."""
    size, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        now = verdicts.stat().st_size if verdicts.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > STUCK:
            process.kill()
            process.wait()
            return "stuck"
    return ""


def report(records, seed, parser=""):
    """Return the counts by parser, and each kind of failure with a command, as text."""
    verdicts = sorted({record["verdict"] for record in records}, key=lambda v: (v not in GOOD, v))
    counts = collections.Counter((record["parser"], record["verdict"]) for record in records)
    names = sorted({record["parser"] for record in records})
    lines = [f"{'parser':20}" + "".join(f"{verdict:>11}" for verdict in verdicts)]
    for name in names:
        lines.append(f"{name:20}" + "".join(f"{counts[name, verdict]:11}" for verdict in verdicts))
    totals = collections.Counter(record["verdict"] for record in records)
    lines.append(f"{'all':20}" + "".join(f"{totals[verdict]:11}" for verdict in verdicts))
    kinds = collections.defaultdict(list)
    for record in records:
        if record["verdict"] not in GOOD:
            place = record.get("error", "").rpartition(" at ")[2]
            kinds[record["parser"], record["verdict"], place].append(record)
    for (name, verdict, _), same in sorted(kinds.items()):
        first = same[0]
        only = f" --parser {parser}" if parser else ""
        lines.append(f"\n{len(same)} x {name} {verdict}: {first.get('error')}")
        lines.append(
            f"  python tests/fuzz/run.py --seed {seed} --first {first['number']} --mutants 1{only}"
            f"   ({first.get('seed')}: {first.get('target')})"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--parser", default="", help="only this parser, e.g. data-coco")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    given = parser.parse_args()
    began = time.monotonic()
    records = fuzz(given.mutants, given.seed, given.jobs, given.parser, given.first)
    print(report(records, given.seed, given.parser))
    print(f"\n{len(records)} mutants in {time.monotonic() - began:.0f} s")
    sys.exit(any(record["verdict"] not in GOOD for record in records))


if __name__ == "__main__":
    main()
