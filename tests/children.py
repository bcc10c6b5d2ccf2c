"""Run trainings in forks of a process that has torch loaded, which makes a start cheap.

A test runs its own file as a program, which forks, and reads the JSON that the program prints.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

TIMINGS = ("seconds", "step_seconds", "images_per_second", "memory")
TRAIN = ("train", "scenes:14@24x32", "--model", "fcn8s-vgg11_bn", "--width", "0.0625", "--hidden")
TRAIN += ("16", "--epochs", "3", "--batch", "3", "--name", "run", "--resume")
KILLING = Path(__file__).with_name("killing.py")
PATIENCE = 120  # seconds: three times the documented limit, for a shared machine
STEPS = 9  # of that command: three epochs of three


def result_of(file, folder, *arguments, seconds=600):
    """Run a test file as a program; return the JSON value that it prints."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, str(file), str(folder), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def fork(work, output=os.devnull):
    """Fork a child that exits with the result of `work()`; its output goes into a file."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        sys.stdout = sys.stderr = open(output, "w", buffering=1)  # noqa: SIM115
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_call(number, names):
    """Kill this process before or after its n-th call to one of these functions of `os`."""
    left = [number]

    def watched(call):
        def kill():
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        def called(*arguments, **more):
            kill()
            result = call(*arguments, **more)
            kill()
            return result

        return called

    for name in names:
        setattr(os, name, watched(getattr(os, name)))


def train(out, *more, begin=None, command=TRAIN):
    """Run the training command without its report; return the exit code. For child processes."""
    from fullconv.cli import run
    from fullconv.training import conclusion

    conclusion.write_report = lambda folder, report: None
    if begin:
        begin()
    return run([*command, *map(str, more), "--out", str(out)])


def files(out):
    """Return the reproducible content of the run under OUT, and unexpected files."""
    (folder,) = (out / "train").glob("*-001")
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".yaml"):
            found[str(path.relative_to(folder))] = stable_bytes(path)
        if path.name == "results.csv":
            found[str(path.relative_to(folder))] = rows(path)
        if path.name.startswith("."):
            found["orphan"] = path.name
    others = [path.name for path in (out / "train").iterdir() if path.name != "latest"]
    return found | {"folders": others}


def leftovers(folder):
    """Return the hidden files below a folder but for the marks of results: half-written ones."""
    return [path for path in folder.rglob(".*") if path.name != ".fullconv"]


def stable_bytes(path):
    """Return a file's bytes without the number of workers, which may change on resuming."""
    content = path.read_bytes()
    return b"".join(line for line in content.splitlines(True) if not line.startswith(b"workers:"))


def rows(path):
    """Read results.csv without its timing columns."""
    names, *lines = (line.split(",") for line in path.read_text().splitlines())
    keep = [column for column, name in enumerate(names) if name not in TIMINGS]
    return [[line[column] for column in keep] for line in (names, *lines)]


def print_result(values):
    sys.stdout.write(json.dumps(values) + "\n")


def at_step(number, happens):
    """Save at every step, and call `happens` before step `number`."""

    def begin():
        from fullconv.training import experiment
        from fullconv.training.trainer import Trainer

        experiment.SAVE_SECONDS = 0.0
        original_step = Trainer.train_step

        def train_step(self, batch):
            if self.done == number:
                happens()
            return original_step(self, batch)

        Trainer.train_step = train_step

    return begin


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
