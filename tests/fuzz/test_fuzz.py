"""Thousands of damaged files through the command line: no traceback, no hang, no orphan."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import run
import worker
from mutate import mutate

MUTANTS = 5000  # `run.py --mutants N` runs any number

TEXTS = [b"", b"a: 1\nb: [2, 3]\n", b'{"a": [1, 2.5], "b": "c"}', b"<a b='1'>2</a>", b"\xff\xfe"]


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("content", TEXTS)
def test_a_mutation_follows_from_its_number_alone(content, text):
    for number in range(50):
        one, other = (
            mutate(content, np.random.default_rng(number), text, b"x: y\n", "/o") for _ in range(2)
        )
        assert one == other and isinstance(one, bytes)


def test_the_report_counts_by_parser_and_names_the_command():
    records = [
        {"number": 0, "parser": "a", "verdict": "ok"},
        {"number": 1, "parser": "a", "verdict": "traceback", "error": "ValueError: x at b.py:3"},
        {"number": 2, "parser": "b", "verdict": "refused"},
    ]
    text = run.report(records, seed=7)
    assert "1 x a traceback: ValueError: x at b.py:3" in text
    assert "run.py --seed 7 --first 1 --mutants 1" in text


def test_an_unexpected_error_of_a_command_is_noticed(monkeypatch, capsys):
    monkeypatch.setattr(worker.cli, "describe_error", worker.describe)
    assert worker.execute(("inspect", "nothing")) == 2 and not worker.UNEXPECTED
    monkeypatch.setattr(worker.cli, "build", lambda: 1 / 0)
    assert worker.execute(("inspect", "nothing")) == 1
    assert isinstance(worker.UNEXPECTED.pop(), ZeroDivisionError)


@pytest.mark.slow
def test_no_mutant_fails():
    began = time.monotonic()
    records = run.fuzz(MUTANTS, seed=1)
    failed = [record for record in records if record["verdict"] not in run.GOOD]
    assert not failed, run.report(records, seed=1)
    assert len(records) == MUTANTS
    print(run.report(records, seed=1), f"{time.monotonic() - began:.0f} s")
