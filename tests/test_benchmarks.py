"""Benchmarks: their imports; ways to use a GPU, measured on the CPU; tables of results."""

import ast
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


@pytest.fixture
def table(monkeypatch):
    """Return the benchmark as a module."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("table")


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_every_name_that_it_takes_from_fullconv_exists(path):
    wanted = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fullconv")
        for name in node.names
    ]
    for module, name in wanted:
        found = importlib.import_module(module)
        if not hasattr(found, name):  # then it is a module of a package
            importlib.import_module(f"{module}.{name}")


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


def test_a_row_has_the_fastest_engine_and_the_median_of_paired_ratios(table):
    seconds = {"torch": [9.0, 9.0, 9.0], "torch predict": [4.0, 6.0, 9.0]}
    seconds |= {"onnx": [1.0, 2.0, 2.0], "onnx predict": [2.0, 2.0, 3.0]}
    result = {"model": table.SHIPPED, "size": "3 x 4", "engines": ["torch", "onnx"]}
    (row,) = table.engine_rows([{**result, "seconds": seconds}])
    assert row.ms == 2000 and row.short and row.what.endswith("3 x 4 (ONNX Runtime)")
    assert row.peers == {"ONNX Runtime alone": 2 / 3, "PyTorch, optimized": 3.0}


def test_int8_is_compared_with_the_same_engine_and_fp32_with_all(table):
    times = {"pytorch-fcn": 8, "ONNX Runtime": 4, "fullconv, default": 3, "fullconv, OpenVINO": 2}
    fp32 = {"part": "fp32", "size": [5, 5], "clock": "wall"}
    fp32["rows"] = [{"engine": name, "timings": [{"wall": t}]} for name, t in times.items()]
    times = {"OpenVINO int8": 3, "ONNX Runtime int8": 4, "fullconv, ONNX Runtime int8": 2}
    int8 = {**fp32, "part": "int8"}
    int8["rows"] = [{"engine": name, "timings": [{"wall": t}]} for name, t in times.items()]
    first, second = table.peer_rows([fp32, int8])
    assert "OpenVINO" in first.what and first.peers == {"pytorch-fcn": 4.0, "ONNX Runtime": 2.0}
    assert second.peers == {"ONNX Runtime int8": 2.0}


def test_the_table_is_written_between_its_marks_again_and_again(table):
    machine = {"processor": "P", "cores": 2, "date": "2026-01-01"}
    made = table.format_table([table.Row("a", 1.4, {"b": 1.25, "c": 2})], machine)
    page = f"x\n{table.START}\n{table.END}\ny"
    written = table.insert(page, made)
    assert "| a | 1 | 1.25 x b, 2.00 x c |" in written and "P, 2 cores, 2026-01-01" in written
    assert table.insert(written, made) == written
    with pytest.raises(ValueError, match="no place for the table"):
        table.insert("x", made)
    for name in ("README.md", "docs/speed.md"):
        text = (BENCHMARKS.parent / name).read_text()
        assert text.count(table.START) == text.count(table.END) == 1
