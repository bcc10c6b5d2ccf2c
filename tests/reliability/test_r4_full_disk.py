"""A full disk is reported with path and bytes, keeps existing files, and can be resumed from."""

import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from children import at_step, code_of, files, fork, leftovers, print_result, result_of, train

MIB = 2**20
STEP = 5  # after which the disk is full
MESSAGE = re.compile(
    r"fullconv: (\S+) could not be written: the disk is full \(([\d,]+) bytes needed"
)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["training", "report", "predict"])
def test_a_full_disk(tmp_path, stage):
    found = result_of(__file__, tmp_path, stage)
    if found == "no disk":
        pytest.skip("only root may mount a small disk here")
    assert found == {
        "code": 74,
        "reported": True,
        "kept": True,
        "left": [],
        "then": 0,
        "same": True,
    }


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["evaluate", "heat_map"])
def test_earlier_results_survive_a_full_disk(tmp_path, stage):
    found = result_of(__file__, tmp_path, stage)
    if found == "no disk":
        pytest.skip("only root may mount a small disk here")
    assert found == [{"code": 74, "lines": 1, "reported": True, "intact": True, "then": 0}] * len(
        found
    )


@pytest.mark.slow
def test_a_file_size_limit(tmp_path):
    found = result_of(__file__, tmp_path, "limited")
    assert found == {
        "code": 74,
        "reported": True,
        "kept": True,
        "left": [],
        "then": 0,
        "same": True,
    }


@contextmanager
def disk(folder, size):
    """Mount a small disk at a folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        print_result("no disk")
        sys.exit(0)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder, free=4096):
    """Fill the disk except for `free` bytes."""
    room = shutil.disk_usage(folder).free - free
    (folder / "ballast").write_bytes(bytes(room))


def report_of(code, output, folder, out, before, resumed, whole, needle=MESSAGE):
    """Summarize the outcome; `before` is the checkpoint when the disk became full."""
    found = needle.search(output)
    left = [path.name for path in leftovers(out)]
    kept = before == (folder / "last.safetensors").read_bytes()
    reported = bool(found) and str(folder) in found[1] and int(found[2].replace(",", "")) > 0
    (out / "ballast").unlink(missing_ok=True)
    then = code_of(fork(resumed))
    same = whole is None or files(out) == whole
    return {
        "code": code,
        "reported": reported,
        "kept": kept,
        "left": left,
        "then": then,
        "same": same,
    }


def training(folder, size=4 * MIB):
    assert code_of(fork(lambda: train(folder / "whole"))) == 0
    with disk(folder / "small", size) as out:
        run, copy, output = out / "train" / "run-001", folder / "before", folder / "output"

        def happens():
            shutil.copy(run / "last.safetensors", copy)
            fill(out)

        code = code_of(fork(lambda: train(out, begin=at_step(STEP, happens)), output))
        return report_of(
            *(code, output.read_text(), run, out, copy.read_bytes()),
            *(lambda: train(out), files(folder / "whole")),
        )


def limited(folder):
    """Limit the size of files instead of mounting a disk."""
    assert code_of(fork(lambda: train(folder / "whole"))) == 0
    out, output = folder / "out", folder / "output"
    run, copy = out / "train" / "run-001", folder / "before"

    def happens():
        shutil.copy(run / "last.safetensors", copy)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))

    code = code_of(fork(lambda: train(out, begin=at_step(STEP, happens)), output))
    needle = re.compile(
        r"(\S+) could not be written: it exceeds the limit of file sizes \(([\d,]+) bytes needed"
    )
    return report_of(
        *(code, output.read_text(), run, out, copy.read_bytes(), lambda: train(out)),
        *(files(folder / "whole"), needle),
    )


def report(folder):
    """Fill the disk after the training, when the report is written."""
    from fullconv.training import conclusion

    write_report = conclusion.write_report
    with disk(folder / "small", 8 * MIB) as out:
        output, copy, run = folder / "output", folder / "before", out / "train" / "run-001"

        def fill_first(folder, report):
            shutil.copy(run / "last.safetensors", copy)
            fill(out)
            return write_report(folder, report)

        def started(function):
            from children import TRAIN
            from fullconv.cli import run as command

            conclusion.write_report = function
            return command([*TRAIN, "--out", str(out)])

        code = code_of(fork(lambda: started(fill_first), output))
        found = report_of(
            *(code, output.read_text(), run, out, copy.read_bytes()),
            *(lambda: started(write_report), None),
        )
        return found | {
            "same": (run / "report.html").is_file() and (run / "summary.json").is_file()
        }


def predict(folder):
    """Fill the disk during prediction: written files are complete, the others follow later."""
    import fullconv as fc
    from fullconv.cli import run
    from fullconv.io.images import write_image

    assert code_of(fork(lambda: train(folder / "whole"))) == 0
    model = folder / "whole" / "train" / "run-001"
    for sample in fc.open_data("scenes:6@200x300", "train"):
        write_image(folder / "photos" / f"{sample.name}.png", sample.image)
    command = ["predict", str(model), str(folder / "photos"), "--save", "labels,probabilities8"]
    assert code_of(fork(lambda: run([*command, "--out", str(folder / "predictions")]))) == 0
    whole = {path.name: path.read_bytes() for path in (folder / "predictions").rglob("*.png")}
    with disk(folder / "small", 2 * MIB) as small:
        out, output = small / "predictions", folder / "output"
        fill(small, free=3 * 4096)
        code = code_of(fork(lambda: run([*command, "--out", str(out)]), output))
        found = MESSAGE.search(output.read_text())
        left = [path.name for path in out.rglob(".*.tmp")]
        kept = all(path.read_bytes() == whole[path.name] for path in out.rglob("*.png"))
        (small / "ballast").unlink()
        then = code_of(fork(lambda: run([*command, "--out", str(out)])))
        same = whole == {path.name: path.read_bytes() for path in out.rglob("*.png")}
        reported = bool(found) and str(out) in found[1]
    return {
        "code": code,
        "reported": reported,
        "kept": kept,
        "left": left,
        "then": then,
        "same": same,
    }


def evaluate(folder):
    """Fill the disk before an evaluation writes its files, with room for none or a few of them."""
    import fullconv as fc
    from fullconv.data.synthetic import CLASSES

    network = fc.create_model("fcn32s-vgg11", len(CLASSES), width=1 / 64, hidden=4)
    fc.Model(network, CLASSES).save(folder / "model.safetensors")
    command = ["evaluate", str(folder / "model.safetensors"), "scenes:8@24x32", "--split", "all"]
    explain = [*command, "--explain", "--quiet"]
    return [survival(folder, command, 0), survival(folder, explain, 3 * 4096)]


def heat_map(folder):
    """Fill the disk before `fullconv explain` writes its picture."""
    from fullconv.io.images import write_image

    write_image(folder / "photo.png", np.zeros((230, 230, 3), np.uint8))
    command = ["explain", "vgg11", str(folder / "photo.png"), "--classes", "3"]
    return [survival(folder, command, 0, "heat.png")]


def survival(folder, command, free, name=""):
    """Run a command on a good disk, and again on a full one; summarize what it did there."""
    from fullconv.cli import run

    with disk(folder / f"small{free}", 4 * MIB) as out:
        output, whole = folder / "output", [*command, "--out", str(out / name)]
        assert code_of(fork(lambda: run(whole))) == 0
        before = content(out)
        fill(out, free)
        code = code_of(fork(lambda: run(whole), output))
        (out / "ballast").unlink()
        said = [line for line in output.read_text().splitlines() if "could not be" in line]
        return {
            "code": code,
            "lines": len(said),
            "reported": all(MESSAGE.search(line) for line in said),
            "intact": content(out) == before,
            "then": code_of(fork(lambda: run(whole))),
        }


def content(folder):
    """Map each file to its bytes, and each link to its target."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    os.umask(0o022)
    print_result(globals()[sys.argv[2]](Path(sys.argv[1])))
