"""The benchmark of GPUs measures a CPU through the same functions."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

import export_models

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    """Return the benchmark as a module."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu")


def test_every_way_without_a_cuda_graph_has_the_scores_of_the_first(gpu):
    ways = [way for way in gpu.WAYS if not way.graph]
    network = export_models.network(padding=100)
    image = torch.from_numpy(export_models.batch(1, 40, 50))
    before = network(image)
    rows = list(gpu.measure(network, image, ways, rounds=3, calls=1))
    assert [row.name for row in rows] == [way.name for way in ways]
    assert rows[0].times == 1 and rows[0].difference == 0 and all(row.ms > 0 for row in rows)
    for row, way in zip(rows, ways, strict=True):
        assert row.difference < (1e-5 if way.precision is None else 0.1), row.name
        assert way.precision is None or row.difference > 1e-5, "16 bits change the scores"
    assert torch.equal(network(image), before)  # the network that was given is not changed


def test_without_a_gpu_it_ends_with_one_sentence(gpu, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit, match="finds no GPU"):
        gpu.main()
    assert capsys.readouterr().out == ""
