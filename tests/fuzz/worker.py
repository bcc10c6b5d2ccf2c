"""Run one batch of mutants in this process, under limits; write a verdict for each.

Called by run.py: worker.py SEEDS WORK VERDICTS SEED FIRST LAST [PARSER]
"""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from mutate import mutate
from seed import TEXT, restore

import fullconv as fc
from fullconv import cli
from fullconv.errors import FullconvError

SECONDS = 20  # of the processor, for one mutant; the slowest seed takes three
MEMORY = 3 * 2**30  # bytes of address space beside those of the imports
SHARES = {
    "run": 2,
    "video": 2,
    "raster": 3,
    "job": 3,
    "job-fresh": 2,
    "merge": 2,
    "model-pt2": 2,
    "model-openvino": 4,
    **dict.fromkeys(("data-via", "data-datumaro", "data-darwin"), 4),
}
"""Part of the mutants that a parser gets; 10 if not named."""


class HangError(BaseException):
    """A mutant took too long."""


def main(seeds_file, work, verdicts, seed, first, last, only=""):
    seeds = restore(Path(seeds_file))
    if only:
        seeds = [s for s in seeds if s.parser == only]
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    cli.describe_error = describe
    warm_up(seeds, Path(work))
    limit_memory()
    signal.signal(signal.SIGPROF, _hang)
    with Path(verdicts).open("a", buffering=1) as file:
        for number in range(int(first), int(last)):
            file.write(json.dumps({"begin": number}) + "\n")
            record = one(seeds, Path(work), int(seed), number)
            file.write(json.dumps({"number": number, **record}) + "\n")


def _hang(*_):
    raise HangError


def limit_memory():
    status = Path("/proc/self/status")
    if status.exists():
        now = int(status.read_text().split("VmSize:")[1].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def choose(seeds, seed, number):
    """Return the generator, the seed and the changed file of a mutant."""
    draw = np.random.default_rng([seed, number])
    parsers = sorted({s.parser for s in seeds})
    parts = np.array([SHARES.get(parser, 10) for parser in parsers], float)
    parser = parsers[draw.choice(len(parsers), p=parts / parts.sum())]
    same = [s for s in seeds if s.parser == parser]
    chosen = same[draw.integers(0, len(same))]
    target = chosen.targets[draw.integers(0, len(chosen.targets))]
    return draw, chosen, target


def prepare(chosen, target, draw, work):
    """Write the mutant's folder; return it."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(chosen.folder, work / "in")
    (work / "outside").mkdir()
    (work / "outside" / "canary").write_text("untouched")
    path = work / "in" / target
    donors = [t for t in chosen.targets if Path(t).suffix == path.suffix]
    donor = (chosen.folder / donors[draw.integers(0, len(donors))]).read_bytes()
    text = path.suffix in TEXT
    path.write_bytes(mutate(path.read_bytes(), draw, text, donor, str(work / "outside")))
    return work / "in"


def one(seeds, work, seed, number):
    """Run one mutant; return its verdict: ok, refused, traceback, hang, memory, orphan, outside."""
    draw, chosen, target = choose(seeds, seed, number)
    record = {"parser": chosen.parser, "seed": chosen.name, "target": target, "verdict": "ok"}
    folder = prepare(chosen, target, draw, work)
    before = fingerprint(work)
    os.chdir(folder)
    began = time.monotonic()
    with quiet(work / "printed.txt"):
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            code = execute(chosen.command)
            if UNEXPECTED:
                raise UNEXPECTED.pop()
            record["verdict"] = "ok" if code in (0, 4) else "refused"
            if code not in (0, 2, 3, 4, 74):  # 1: an input failed for an unexpected reason
                record |= {"verdict": "exit", "error": f"exit code {code}{unexpected_failure()}"}
        except HangError as error:
            record |= {"verdict": "hang", "error": where(error)}
        except MemoryError as error:
            record |= {"verdict": "memory", "error": where(error)}
        except BaseException as error:
            name = f"{type(error).__module__}.{type(error).__name__}"
            record |= {
                "verdict": "traceback",
                "error": f"{name}: {str(error)[:120]} at {where(error)}",
            }
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    os.chdir("/")
    record["seconds"] = round(time.monotonic() - began, 2)
    if record["verdict"] in ("ok", "refused"):
        record |= left_behind(work, before)
    return record


# Exceptions that the command line describes as unexpected.
UNEXPECTED = []


def describe(error, original=cli.describe_error):
    message, code = original(error)
    if code == 1:
        UNEXPECTED.append(error)
    return message, code


def execute(command):
    if command[0] != "predict-api":
        return cli.run(list(command))
    try:
        MODEL.predict(command[1])
    except FullconvError:
        return 2
    return 0


MODEL = None


def warm_up(seeds, work):
    """Import what most commands import, so that no mutant pays for it."""
    global MODEL
    MODEL = fc.load(seeds[0].folder.parent / "_shared" / "m.safetensors")
    chosen = next((s for s in seeds if s.command[0] == "predict"), seeds[0])
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(chosen.folder, work / "in")
    os.chdir(work / "in")
    with quiet(work / "printed.txt"), contextlib.suppress(Exception, SystemExit):
        execute(chosen.command)
    os.chdir("/")


@contextlib.contextmanager
def quiet(path):
    """Send all that is printed, also by C libraries, to a file."""
    sys.stdout.flush()
    saved = os.dup(1), os.dup(2)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for handle in (*saved, file):
            os.close(handle)


def where(error):
    """Return file and line of the deepest frame of fullconv, and of the deepest frame."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/src/fullconv/" in frame.filename]
    last = [frame for frame in (*own[-1:], *frames[-1:])]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in last)


def unexpected_failure():
    """Return why a prediction failed, from its errors.jsonl."""
    for path in Path("out").glob("errors*.jsonl"):
        for line in path.read_text("utf-8", "replace").splitlines():
            if '"unexpected": true' in line:
                return f": {line[-300:]} at {line[-60:]}"
    return ""


def fingerprint(work):
    files = {}
    for path in sorted(work.rglob("*")):
        if path.is_file() and not path.is_relative_to(work / "in" / "out"):
            files[str(path.relative_to(work))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def left_behind(work, before):
    """Return the verdict on files outside out/, temporary files and processes."""
    after = fingerprint(work)
    after.pop("printed.txt", None)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed:
        return {"verdict": "outside", "error": f"changed: {sorted(changed)[:3]}"}
    orphans = [p.name for p in (work / "in").rglob("*") if ".tmp" in p.name]
    if orphans:
        return {"verdict": "orphan", "error": f"left: {orphans[:3]}"}
    if children := running_children():
        return {"verdict": "orphan", "error": f"processes {children}"}
    return {}


def running_children():
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return path.read_text().split() if path.exists() else []


if __name__ == "__main__":
    main(*sys.argv[1:])
