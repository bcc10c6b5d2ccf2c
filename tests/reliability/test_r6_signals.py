"""Signals to stop at random moments: checkpoint, exit code, and the same final bytes."""

import hashlib
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from children import STEPS, code_of, files, fork, print_result, result_of, train

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 75}
MOMENTS = 5  # of each signal
PATIENCE = 30  # seconds: three times what is promised, for a machine that others share


@pytest.mark.slow
def test_stop_signals_do_not_change_the_result(tmp_path):
    found = result_of(__file__, tmp_path, "signals")
    assert found["codes"] == [[int(s), code] for s, code in CODES.items() for _ in range(MOMENTS)]
    assert found["same"] == len(CODES) * MOMENTS and found["left"] == 0
    assert found["slowest"] <= PATIENCE


@pytest.mark.slow
def test_a_stop_during_an_evaluation_does_not_change_the_result(tmp_path):
    """Stop after the last step of each epoch, and between two evaluated samples."""
    assert result_of(__file__, tmp_path, "evaluations") == {"codes": [75] * 6, "same": 6}


@pytest.mark.slow
def test_a_second_interrupt_exits_at_once(tmp_path):
    found = result_of(__file__, tmp_path, "twice")
    assert found["code"] == 130 and found["left"] == 0 and found["seconds"] <= 3


def signals(folder):
    began = time.monotonic()
    assert code_of(fork(lambda: train(folder / "whole"))) == 0
    whole, seconds = files(folder / "whole"), time.monotonic() - began
    draw = random.Random(7)
    codes, same, slowest, left = [], 0, 0.0, 0
    for number, sent in enumerate(s for s in CODES for _ in range(MOMENTS)):
        out = folder / str(number)
        workers = ("--workers", 2) if number % MOMENTS == 0 else ()
        child = asked_to_stop(out, workers, sent, draw, seconds)
        asked = time.monotonic()
        codes.append([int(sent), code_of(child)])
        slowest = max(slowest, time.monotonic() - asked)
        left += survivors(child)
        assert code_of(fork(lambda out=out: train(out))) == 0
        same += files(out) == whole
    return {"codes": codes, "same": same, "slowest": slowest, "left": left}


def asked_to_stop(out, workers, sent, draw, seconds):
    """Start a training and send it a signal at a random moment; return its process id."""
    while True:
        child = fork(lambda: alone(out, workers))
        time.sleep(seconds * draw.uniform(0.1, 0.8))  # the handlers are installed by then
        if os.waitpid(child, os.WNOHANG) == (0, 0):
            os.kill(child, sent)
            return child
        shutil.rmtree(out)  # it had finished before the signal


def alone(out, workers):
    os.setpgid(0, 0)
    return train(out, *workers)


def survivors(group):
    """Return 1 if processes of a group still exist after a moment, else 0."""
    for _ in range(30):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return 0
        time.sleep(0.1)
    return 1


def evaluations(folder):
    assert code_of(fork(lambda: train(folder / "whole"))) == 0
    whole = files(folder / "whole")
    codes, same = [], 0
    for number, (step, samples) in enumerate((s, n) for s in (3, 6, STEPS) for n in (0, 1)):
        out = folder / str(number)
        child = fork(lambda out=out, step=step, n=samples: train(out, begin=stop_at(step, n)))
        codes.append(code_of(child))
        assert code_of(fork(lambda out=out: train(out))) == 0
        same += files(out) == whole
    return {"codes": codes, "same": same}


def stop_at(step, samples):
    """Send a signal after `step` steps and `samples` evaluated samples."""

    def begin():
        from fullconv.training import validation
        from fullconv.training.trainer import Trainer

        original_step, original_scores = Trainer.train_step, validation.score_samples
        done = [0]

        def train_step(self, batch):
            loss = original_step(self, batch)
            done[0] = self.done + 1
            if done[0] == step and not samples:
                os.kill(os.getpid(), signal.SIGUSR1)
            return loss

        def score_samples(model, data):
            for number, result in enumerate(original_scores(model, data), 1):
                if done[0] == step and number == samples:
                    os.kill(os.getpid(), signal.SIGUSR1)
                yield result

        Trainer.train_step, validation.score_samples = train_step, score_samples

    return begin


def twice(folder):
    """Send two interrupts during a long computation, in which no Python handler runs."""

    def begin():
        from fullconv.training.trainer import Trainer

        os.setpgid(0, 0)

        def train_step(self, batch):
            (folder / "computing").touch()
            hashlib.pbkdf2_hmac("sha256", b"long", b"computation", 10**9)

        Trainer.train_step = train_step

    child = fork(lambda: train(folder / "out", "--workers", 2, begin=begin))
    while not (folder / "computing").exists():
        time.sleep(0.05)
    os.killpg(child, signal.SIGINT)  # as a terminal does, to all of them
    time.sleep(1)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.killpg(child, signal.SIGINT)
    asked = time.monotonic()
    code = code_of(child)
    return {"code": code, "seconds": time.monotonic() - asked, "left": survivors(child)}


if __name__ == "__main__":
    import torch

    import fullconv.cli.train
    import fullconv.training.experiment  # noqa: F401 - loaded before anything is forked

    torch.set_num_threads(1)
    print_result(globals()[sys.argv[2]](Path(sys.argv[1])))
