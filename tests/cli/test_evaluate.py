"""`fullconv evaluate`: which data set it uses, and the files that it writes."""

import csv
import json
import re

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.cli import run
from fullconv.cli._evaluate_options import seen_in_training
from fullconv.data.synthetic import CLASSES
from fullconv.io.images import write_labels
from siftflow_folder import write_siftflow

DATA = "scenes:20@24x32"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Return a run folder whose model was trained on drawn scenes, as far as its files tell."""
    folder = tmp_path_factory.mktemp("runs") / "scenes-001"
    torch.manual_seed(0)
    network = fc.create_model("fcn32s-vgg11", len(CLASSES), width=1 / 64, hidden=4)
    fc.Model(network, CLASSES).save(folder / "best.safetensors")
    (folder / "config.yaml").write_text(f"data: {DATA}\n")
    return folder


@pytest.fixture
def evaluate(tmp_path, capsys):
    """Run the command; return its result from metrics.json, and its output."""

    def call(*arguments):
        assert run(["evaluate", *map(str, arguments), "--out", str(tmp_path)]) == 0
        folder = (tmp_path / "evaluate" / "latest").resolve()
        return json.loads((folder / "metrics.json").read_text()), capsys.readouterr().out, folder

    return call


def test_the_data_set_of_the_run_is_the_default(run_folder, evaluate):
    found, text, folder = evaluate(run_folder)
    assert found["data"] == DATA and found["images"] == 4
    assert found["model"] == str(run_folder) and folder.name == "scenes-001-001"
    assert "95 % interval" in text or "no confidence interval" in text
    again, _, _ = evaluate(run_folder / "best.safetensors")
    assert again == found | {"model": str(run_folder / "best.safetensors")}


@pytest.mark.parametrize(
    ("train_on", "split", "note"),
    [
        ("train", "val", ""),
        ("train", "train", "was trained on these images"),
        ("train", "all", "was trained on some of these images"),
        ("train+val", "val", "was trained on these images"),
    ],
)
def test_images_that_a_model_was_trained_on_are_said(tmp_path, train_on, split, note):
    copy = tmp_path / "scenes-001"
    copy.mkdir()
    (copy / "best.safetensors").touch()
    (copy / "config.yaml").write_text(f"data: {DATA}\ntrain_on: {train_on}\n")
    found = seen_in_training(str(copy / "best.safetensors"), DATA, split)
    assert (note in found) if note else found == ""
    assert seen_in_training(str(copy), "scenes:21@24x32", split) == ""
    assert seen_in_training(str(tmp_path / "other.safetensors"), DATA, split) == ""


def test_the_note_is_printed(run_folder, evaluate):
    _, text, _ = evaluate(run_folder, "--split", "train")
    assert f"note   {run_folder} was trained on these images, so the metrics do not tell" in text


def test_a_model_outside_a_run_needs_data(tmp_path, run_folder, capsys):
    model = tmp_path / "model.safetensors"
    model.write_bytes((run_folder / "best.safetensors").read_bytes())
    assert run(["evaluate", str(model)]) == 2
    assert "expected: fullconv evaluate MODEL DATA" in capsys.readouterr().err


def test_groups_are_listed_worst_first_and_written(run_folder, evaluate):
    found, text, folder = evaluate(run_folder, DATA, "--split", "all", "--groups", r"\d$")
    assert "group, worst first  images  mean IoU" in text
    assert found["interval_unit"] == "10 groups" and found["mean_iou_interval"]
    with (folder / "groups.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["group"] for row in rows[:1]] == ["all"] and len(rows) == 11


def test_tta_is_part_of_the_protocol(run_folder, evaluate):
    found, _, _ = evaluate(run_folder, "scenes:5@24x32", "--tta")
    assert found["protocol"].endswith("averaged over scales 1, 1.5 and flips")
    found, _, _ = evaluate(run_folder, "scenes:5@24x32", "--tta", "--scales", "0.5,1")
    assert found["protocol"].endswith("averaged over scales 0.5, 1 and flips")


def test_explain_names_the_losses_and_writes_their_tables(run_folder, evaluate):
    found, text, folder = evaluate(run_folder, "scenes:5@24x32", "--explain")
    assert "points of mean IoU" in text and "mean boundary IoU" in text
    tables = {f"{name}.csv" for name in ("boundary", "where", "repairs", "pairs", "calibration")}
    assert tables <= {path.name for path in folder.iterdir()}
    assert found["explanation"]["repairs"][-1]["after"] == 1
    assert "confidence" in (folder / "report.html").read_text()


def test_the_report_shows_averaged_predictions_and_those_of_files(run_folder, evaluate, tmp_path):
    data = "scenes:5@24x32"
    model = fc.load(run_folder / "best.safetensors")
    (tmp_path / "files").mkdir()
    for sample in fc.open_data(data):
        prediction = model.predict(sample.image, tta=True)
        prediction.save(tmp_path / "files" / f"{sample.name}.png")
    options = ["--split", "all", "--report"]
    _, text, folder = evaluate(run_folder, data, *options, "--tta")
    _, _, files = evaluate(data, "--predictions", tmp_path / "files", *options)
    assert f"report  {folder / 'report.html'}" in text
    shown, by_files = (panels((path / "report.html").read_text()) for path in (folder, files))
    assert len(shown) == 5 * 5
    assert [panel for panel in shown if panel[0] != "confidence"] == by_files


def panels(page):
    """Return title and content of each panel of a report."""
    return [(title, uri) for uri, title in re.findall(r'<img src="(\S+)" alt="\S+: ([^"]+)"', page)]


def test_suspects_are_written_and_accepted_into_copies(run_folder, evaluate, tmp_path, capsys):
    _, text, folder = evaluate(run_folder, "scenes:5@60x80", "--split", "all", "--suspects", "3")
    assert "review" in text and "the suspects show only what it did not learn" in text
    reviewed = folder / "suspects.labelme"
    assert len((folder / "suspects.csv").read_text().splitlines()) == 4
    accept = ["check", "scenes:5@60x80", "--accept", str(reviewed), "--out", str(tmp_path)]
    assert run(accept) == 0
    assert "5 masks written" in capsys.readouterr().out
    masks = sorted((tmp_path / "check").glob("*/masks/*.png"))
    assert len({path.name for path in masks}) == 5


@pytest.mark.parametrize("option", [["--suspects", "3"], ["--tta"]])
def test_files_of_predictions_have_neither_suspects_nor_tta(option, tmp_path, capsys):
    assert run(["evaluate", DATA, "--predictions", str(tmp_path), *option]) == 2
    assert f"{option[0]} needs a model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DATA, "--scales", "1,2"], "--scales needs a model"),
        ([DATA, "--engine", "onnx"], "--engine needs a model"),
        ([DATA, "--device", "cpu"], "--device needs a model"),
        (["model.onnx", DATA], f"expected: fullconv evaluate {DATA} --predictions"),
        ([DATA, "--head", "road"], "labels of one head; leave out --head road"),
    ],
)
def test_what_files_of_predictions_cannot_use_is_refused(arguments, message, tmp_path, capsys):
    assert run(["evaluate", *arguments, "--predictions", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_predictions_of_one_head_are_those_in_its_folder(evaluate, tmp_path):
    source = f"siftflow:{write_siftflow(tmp_path / 'flow')}?head=semantic,geometric"
    for head, data in fc.open_data(source).by_head().items():
        for sample in data:
            labels = np.where(sample.labels == 255, 0, sample.labels).astype(np.uint8)
            path = tmp_path / "files" / head / "labels" / f"{sample.name}.png"
            write_labels(path, labels, data.palette)
    options = ["--predictions", tmp_path / "files", "--head", "geometric", "--split", "all"]
    found, _, folder = evaluate(source, *options)
    assert found["mean_iou"] == 1 and len(found["per_class"]) == 3
    assert folder.name == "labels-001"


def test_an_expression_for_groups_is_checked_before_the_work(run_folder, capsys):
    assert run(["evaluate", str(run_folder), "--groups", "("]) == 2
    assert "nor a regular expression" in capsys.readouterr().err
