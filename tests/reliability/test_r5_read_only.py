"""A read-only folder is reported within the same step, and nothing is lost."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from children import at_step, code_of, files, fork, leftovers, print_result, result_of, train

NOBODY = 65534
STEP = 5


@pytest.mark.slow
def test_lost_write_permission(tmp_path):
    found = result_of(__file__, tmp_path)
    assert found["never"] == {"code": 74, "named": True, "tracebacks": 0}
    assert found["resumed"] == {"code": 74, "named": True, "tracebacks": 0}
    for case in ("lost", "stopped"):
        assert found[case] == {
            "code": 74,
            "named": True,
            "tracebacks": 0,
            "claimed": False,
            "steps": STEP + 1,
            "kept": True,
            "left": [],
            "then": 0,
            "same": True,
        }, case


def humble(work):
    """Do `work` in a child process without root's right to write everywhere."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return work()


def outcome_of(code, output, folder):
    text = output.read_text()
    named = f"fullconv: {folder}" in text or f"in {folder}" in text
    return {"code": code, "named": named, "tracebacks": text.count("Traceback")}


def lost(folder, whole, stop):
    """Make the run folder read-only at a step; with `stop`, also send SIGTERM."""
    out, output, steps = folder / f"lost{stop}", folder / f"output{stop}", folder / f"steps{stop}"
    run = out / "train" / "run-001"

    def happens():
        shutil.copy(run / "last.safetensors", folder / f"before{stop}")
        run.chmod(0o555)
        if stop:
            os.kill(os.getpid(), signal.SIGTERM)

    def begin():
        from fullconv.training.trainer import Trainer

        at_step(STEP, happens)()
        original_step = Trainer.train_step

        def counted(self, batch):
            loss = original_step(self, batch)
            steps.write_text(str(self.done + 1))
            return loss

        Trainer.train_step = counted

    code = code_of(fork(lambda: humble(lambda: train(out, begin=begin)), output))
    found = outcome_of(code, output, run)
    found |= {"claimed": "is saved" in output.read_text(), "steps": int(steps.read_text())}
    kept = (folder / f"before{stop}").read_bytes() == (run / "last.safetensors").read_bytes()
    left = [path.name for path in leftovers(run)]
    run.chmod(0o755)
    then = code_of(fork(lambda: humble(lambda: train(out))))
    return found | {"kept": kept, "left": left, "then": then, "same": files(out) == whole}


def main(folder):
    # User "nobody" may not read Python's own files everywhere: import what a resumed run needs.
    assert code_of(fork(lambda: train(folder / "warm", begin=at_step(STEP, quit)))) == 9
    assert train(folder / "warm") == 0
    assert code_of(fork(lambda: humble(lambda: train(folder / "whole")))) == 0
    whole = files(folder / "whole")
    found = {"lost": lost(folder, whole, 0), "stopped": lost(folder, whole, 1)}
    closed = folder / "closed"
    closed.mkdir(mode=0o555)
    code = code_of(fork(lambda: humble(lambda: train(closed)), folder / "never"))
    found["never"] = outcome_of(code, folder / "never", closed)
    out = folder / "again"
    assert code_of(fork(lambda: humble(lambda: train(out, begin=at_step(STEP, quit))))) == 9
    run = out / "train" / "run-001"
    (run / ".orphan.tmp").touch()
    run.chmod(0o555)
    code = code_of(fork(lambda: humble(lambda: train(out)), folder / "resumed"))
    return found | {"resumed": outcome_of(code, folder / "resumed", run)}


def quit():
    os._exit(9)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        print_result(main(Path(folder)))
