"""The command bench prints a table and writes JSON."""

import json

import pytest

import export_models
from fullconv.cli import run
from fullconv.errors import EngineError
from fullconv.export.benchmark import measure, runtimes
from fullconv.export.benchmark.worker import InProcess


class SmallProcess(InProcess):
    """Run a runtime in this process instead of one of its own."""

    def __init__(self, engine, threads):
        super().__init__(engine.start(*engine.arguments))

    def close(self):
        pass


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    def refuse(title, *details):
        raise EngineError(f"{title}: needs the package x, which is not installed")

    monkeypatch.setattr(measure, "WorkerProcess", SmallProcess)
    monkeypatch.setattr(measure, "SIDE", 24)
    monkeypatch.setattr("fullconv.export.benchmark.timing.MIN_SECONDS", 0.0)
    monkeypatch.setattr(runtimes, "run_in_process", refuse)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "net.safetensors"
    export_models.model("fcn32s-vgg11", padding=100).save(path)
    return str(path)


def test_a_table_and_json(model, tmp_path, capsys):
    where = ["--json", str(tmp_path / "bench.json")]
    options = ["--size", "7x9", "--size", "5x6", "--rounds", "2", "--threads", "1"]
    assert run(["bench", model, *options, *where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["runtime", "ms", "quartiles"]
    assert lines[5].split()[:3] == ["runtime", "precision", "GFLOP/s"]
    for first in (1, 6):
        assert [line[:18].strip() for line in lines[first : first + 3]] == [
            *("PyTorch, literal", "PyTorch, eager", "PyTorch, optimized")
        ]
    assert max(map(len, lines[:9])) <= 80
    assert "1.00 (1.00-1.00)" in lines[1] and lines[8].split()[-1] == "100.00%"
    assert lines[9].startswith("peak  fp32 ") and lines[9].endswith("a large matrix product")
    assert lines[10] == "not measured  ONNX Runtime: needs the package x, which is not installed"
    assert lines[12].startswith("7 x 9, 1 thread, wall time, medians of 2 interleaved rounds")
    assert lines[13].startswith("date ") and len(lines) == 28
    values = json.loads((tmp_path / "bench.json").read_text())
    assert [entry["size"] for entry in values["sizes"]] == [[7, 9], [5, 6]]
    row = values["sizes"][0]["rows"][2]
    assert row["engine"] == "PyTorch, optimized" and len(row["timings"]) == 2
    assert row["gflop"] < values["sizes"][0]["rows"][0]["gflop"] and row["difference"] < 1e-5


def test_a_name_of_a_network_is_measured_with_random_weights(capsys):
    small = ["--padding", "100", "--width", "0.03125", "--hidden", "4", "--classes", "3"]
    options = ["--size", "5x6", "--rounds", "1", "--no-export", "--cpu-time", "--json", "-"]
    assert run(["bench", "fcn32s-vgg11", *small, *options]) == 0
    (bench,) = json.loads(capsys.readouterr().out)["sizes"]
    assert [row["agreement"] for row in bench["rows"]] == [1, 1, 1]
    assert bench["clock"] == "cpu" and bench["left_out"] == []


def test_a_mistake_is_one_clear_message(model, capsys, tmp_path):
    for arguments, message in (
        ([str(tmp_path / "absent.safetensors")], "there is no such model file"),
        (["nowhere"], "nowhere: there is no such model file"),
        (["fcn9s-vgg11"], "unknown network 'fcn9s-vgg11'"),
        (["fcn8s-vgg61"], "vgg61"),
        ([model, "net.bin"], "net.bin is not an exported file"),
        ([model, "absent.onnx", "--no-export", "--size", "0x4"], "--size 0x4: expected"),
        (["fcn8s-vgg11", "--padding", "wide"], "--padding wide: expected 'same'"),
        ([model, "--photo", "absent.png"], "absent.png"),
    ):
        assert run(["bench", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_missing_exported_file_is_a_mistake(model, capsys, tmp_path):
    options = ["--size", "5x6", "--rounds", "1", "--no-export", "--quiet"]
    assert run(["bench", model, str(tmp_path / "absent.onnx"), *options]) == 2
