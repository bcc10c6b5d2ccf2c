"""Kill commands that write files, and run them again; run as a program by test_commands.py.

Children are forked from one process that has torch loaded. A command is killed at calls to the
system that are spread evenly over its run.

    killing_commands.py FOLDER COMMAND KILLS
"""

import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

import torch

import fullconv as fc
from children import code_of, die_at_call, fork, leftovers, print_result
from fullconv.cli import run
from fullconv.data.synthetic import CLASSES
from photos import content, write_model, write_photos

CALLS = ("mkdir", "open", "fsync", "close", "chmod", "replace", "unlink", "rmdir", "scandir")
EXISTS = 74  # convert-data, where the kill came after the folder got its name
NUMBERED = ("check", "evaluate")  # their reports get a new folder each time


def arguments_of(folder, command):
    """Return the arguments of a command, which writes into `folder / "out"` only."""
    out, model = str(folder / "out"), str(folder / "model.safetensors")
    return {
        "convert-data": ["scenes:8@24x32", f"{out}/set", "--quiet"],
        "export": [model, f"{out}/model.onnx", "--quiet"],
        "convert": [str(folder / "weights.pth"), f"{out}/weights.safetensors"],
        "predict": [model, str(folder / "photos"), "--out", out, "--save", "labels,contact"],
        "merge": [str(folder / "shard-0"), str(folder / "shard-1"), "--out", out],
        "check": ["scenes:6@24x32", "--out", out, "--quiet"],
        "evaluate": [model, "scenes:6@24x32", "--report", "--out", out, "--quiet"],
    }[command]


def prepare(folder, command):
    write_model(folder / "model.safetensors")
    if command == "evaluate":
        network = fc.create_model("fcn8s-vgg11_bn", len(CLASSES), width=1 / 16, hidden=8)
        fc.Model(network, CLASSES).save(folder / "model.safetensors")
    if command == "convert":
        weights = fc.load(folder / "model.safetensors").network.backbone.state_dict()
        torch.save(weights, folder / "weights.pth")
    if command in ("predict", "merge"):
        write_photos(folder / "photos", 8)
    if command == "merge":
        for number in (0, 1):
            place = ["--out", str(folder / f"shard-{number}"), "--shard", f"{number}/2"]
            model, photos = str(folder / "model.safetensors"), str(folder / "photos")
            kinds = ["--save", "labels,coco,contact", "--quiet"]
            shard = partial(run, ["predict", model, photos, *place, *kinds])
            assert code_of(fork(shard, folder / "log")) == 0, log(folder)


def killed(arguments, number):
    die_at_call(number, CALLS)
    code = run(arguments)
    os._exit(code)


def counted(arguments):
    """Run a command, and write how many calls could have been killed into a file."""
    calls = [0]

    def counting(call):
        def called(*values, **more):
            calls[0] += 2  # die_at_call looks before and after each
            return call(*values, **more)

        return called

    for name in CALLS:
        setattr(os, name, counting(getattr(os, name)))
    assert run(arguments) == 0
    Path("calls").write_text(str(calls[0]))
    return 0


def hidden(folder):
    return sorted(str(path.relative_to(folder)) for path in leftovers(folder))


def main(folder, command, kills):
    torch.set_num_threads(1)
    os.chdir(folder)
    prepare(folder, command)
    arguments = [command, *arguments_of(folder, command)]
    out = folder / "out"
    assert code_of(fork(partial(counted, arguments), folder / "log")) == 0, log(folder)
    calls = int(Path("calls").read_text())
    expected = content(out)
    found = {"kills": 0, "left": 0, "orphans": [], "different": [], "codes": []}
    for kill in range(kills):
        shutil.rmtree(out)
        number = kill * calls // kills
        if code_of(fork(partial(killed, arguments, number))) != -signal.SIGKILL:
            continue
        found["kills"] += 1
        found["left"] += len(hidden(out)) if out.exists() else 0
        code = code_of(fork(partial(run, arguments), folder / "log"))
        found["codes"] += [log(folder)] * (code not in (0, EXISTS))
        found["orphans"] += hidden(out)
        if command not in NUMBERED:
            now = content(out)
            found["different"] += [n for n in {*now, *expected} if now.get(n) != expected.get(n)]
    print_result(found)


def log(folder):
    return (folder / "log").read_text()[-1000:]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
