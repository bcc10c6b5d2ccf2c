"""The commands train, evaluate and predict with a model of several heads."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from fullconv.cli import run
from fullconv.export.targets.huggingface import read_metrics
from photos import content
from siftflow_folder import write_lists, write_siftflow

SETTINGS = {"width": 0.0625, "hidden": 4, "weights": "none", "model": "fcn32s-vgg11_bn", "batch": 2}
HEADS = ("semantic", "geometric")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a data set of two kinds of labels, and a run of two epochs on it."""
    folder = tmp_path_factory.mktemp("heads")
    write_lists(write_siftflow(folder / "flow"))
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    source = f"siftflow:{folder}/flow?head=semantic,geometric"
    options = ["--name", "flow", "--epochs", "2", "--quiet", "--out", f"{folder}/runs"]
    assert run(["train", source, *options, *settings]) == 0
    return folder


@pytest.fixture
def folder(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return trained


RUN = "runs/train/flow-001"


def test_a_run_has_the_metrics_of_each_head(folder):
    rows = list(csv.DictReader((folder / RUN / "results.csv").read_text().splitlines()))
    for row in rows:
        shares = [float(row[f"{head}_mean_iou"]) for head in HEADS]
        assert float(row["mean_iou"]) == pytest.approx(sum(shares) / 2, rel=1e-4)
    summary = json.loads((folder / RUN / "summary.json").read_text())
    best = max(rows, key=lambda row: float(row["mean_iou"]))
    assert summary["best_epoch"] == int(best["epoch"])
    for head in HEADS:
        kept = summary["heads"][head]
        assert kept["mean_iou"] == pytest.approx(float(best[f"{head}_mean_iou"]), rel=1e-4)
        assert (folder / RUN / head / "per_class.csv").is_file()
    page = (folder / RUN / "report.html").read_text()
    assert all(f"Confusion matrix: {head}" in page for head in HEADS)
    history = (folder / RUN / "per_class_history.csv").read_text().splitlines()
    assert history[0].split(",")[-3:] == [
        f"geometric: {n}" for n in ("sky", "horizontal", "vertical")
    ]


def test_the_card_of_a_head_has_its_metrics(folder):
    summary = json.loads((folder / RUN / "summary.json").read_text())
    for head in HEADS:
        found = read_metrics(folder / RUN, head)
        assert found["mean_iou"] == summary["heads"][head]["mean_iou"]
        assert found["per_class"] == summary["heads"][head]["per_class"]


def test_evaluate_without_a_head_has_all(folder, capsys):
    assert run(["evaluate", RUN, "--json", "all.json", "--report", "--out", "found"]) == 0
    shown = capsys.readouterr().out
    assert all(f"head {head}\n" in shown for head in HEADS) and "mean of the heads'" in shown
    every = json.loads(Path("all.json").read_text())
    stored = json.loads(Path("found/evaluate/flow-001-001/metrics.json").read_text())
    assert stored == every and list(every["heads"]) == [*HEADS]
    assert all(Path("found/evaluate/flow-001-001", h, "report.html").is_file() for h in HEADS)
    command = ["evaluate", RUN, "--head", "geometric", "--out", "found"]
    assert run([*command, "--json", "one.json"]) == 0
    one = json.loads(Path("one.json").read_text())
    assert one | {"model_digest": ""} == every["heads"]["geometric"] | {"model_digest": ""}
    capsys.readouterr()
    assert run(["compare", "found/evaluate/flow-001-001", "found/evaluate/flow-001-001"]) == 2
    assert (
        "compare those of one, e.g. found/evaluate/flow-001-001/semantic" in capsys.readouterr().err
    )


def test_predict_without_a_head_writes_all(folder, capsys):
    photos = ["flow/Images", "--quiet", "--save", "labels,coco"]
    assert run(["predict", RUN, *photos, "--out", "all"]) == 0
    assert "all/{semantic,geometric}/{labels,coco}, areas.csv, coco.json" in capsys.readouterr().out
    every = content(folder / "all")
    for head in HEADS:
        assert run(["predict", RUN, *photos, "--head", head, "--out", head]) == 0
        alone = content(folder / head)
        for name in ("areas.csv", "coco.json", "labels/a0.png", "coco/a5.json"):
            assert every[f"{head}/{name}"] == alone[name], name
    model = fc.load(RUN)
    found = model.predict(next((folder / "flow" / "Images").rglob("a0.png")))
    stored = np.array(Image.open(folder / "all" / "geometric" / "labels" / "a0.png"))
    assert (stored == found.heads["geometric"].labels).all()


def test_predictions_of_all_heads_resume_and_are_removed(folder, capsys):
    command = ["predict", RUN, "flow/Images", "--quiet", "--save", "labels,contact"]
    assert run([*command, "--out", "again"]) == 0
    before = content(folder / "again")
    (folder / "again" / "geometric" / "labels" / "a3.png").unlink()
    capsys.readouterr()
    assert run([*command, "--out", "again"]) == 0
    assert "already in again: 5 photos" in capsys.readouterr().out
    assert content(folder / "again") == before
    assert run([*command, "--out", "again", "--head", "semantic"]) == 2
    assert "holds predictions of other options" in capsys.readouterr().err
    assert run([*command, "--out", "again", "--head", "semantic", "--fresh"]) == 0
    assert not [name for name in content(folder / "again") if name.startswith(HEADS)]


def test_predictions_in_files_are_evaluated_by_head(folder):
    source = f"siftflow:{folder}/flow?head=semantic,geometric"
    assert run(["predict", RUN, "flow/Images", "--quiet", "--out", "files"]) == 0
    options = ["--split", "all", "--quiet", "--out", "found"]
    assert run(["evaluate", source, "--predictions", "files", "--json", "f.json", *options]) == 0
    assert run(["evaluate", RUN, source, "--json", "m.json", *options]) == 0
    files, model = (json.loads(Path(name).read_text()) for name in ("f.json", "m.json"))
    assert files["mean_iou"] == model["mean_iou"]
    for head in HEADS:
        assert files["heads"][head]["per_class"] == model["heads"][head]["per_class"]


def test_shards_of_all_heads_merge(folder, capsys):
    command = ["predict", RUN, "flow/Images", "--quiet", "--save", "labels"]
    assert run([*command, "--out", "whole"]) == 0
    for index in (0, 1):
        assert run([*command, "--out", "parts", "--shard", f"{index}/2"]) == 0
    assert run(["merge", "parts"]) == 0
    assert "{semantic,geometric}/areas.csv" in capsys.readouterr().out
    for head in HEADS:
        merged, whole = (folder / name / head / "areas.csv" for name in ("parts", "whole"))
        assert merged.read_bytes() == whole.read_bytes()


def test_what_needs_one_head_says_so(folder, capsys):
    for arguments, said in (
        (["evaluate", RUN, f"siftflow:{folder}/flow"], "e.g. --head semantic"),
        (["predict", RUN, "flow/Images", "--bands", "1,2,3"], "predicted with one head"),
        (["compare", RUN, RUN], "has the heads semantic, geometric; run fullconv evaluate"),
        (["export", RUN, "x.onnx"], "choose one with --head"),
    ):
        assert run([*arguments]) == 2
        assert said in capsys.readouterr().err
