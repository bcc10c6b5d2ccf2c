"""A whole run: its folder, its metrics, and resuming after a kill at any moment."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fullconv as fc
from children import leftovers
from fullconv.config import RunConfig
from fullconv.errors import DataError, WeightsError
from fullconv.io.images import write_image, write_labels
from fullconv.training.events import Round
from fullconv.training.experiment import Experiment
from fullconv.training.resolve import resolve_settings
from fullconv.training.run.folder import create_run
from fullconv.training.validation import open_validation

TINY = {
    "data": "scenes:10@32x40",
    "model": "fcn8s-vgg11_bn",
    "width": 1 / 16,
    "hidden": 8,
    "epochs": 2,
    "batch": 4,
}


def started(out, config):
    experiment = Experiment(config)
    experiment.attach(create_run(out, "train", "tiny"))
    return experiment


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    experiment = started(out, RunConfig(**TINY))
    events = list(experiment.events())
    return experiment, events, experiment.finish().first


def test_the_run_folder_has_all_files(finished):
    folder = finished[0].run.folder
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        *("config.yaml", "results.csv", "curves.png", "confusion_matrix.png", "per_class.csv"),
        *("confusion_matrix.csv", "best.safetensors", "last.safetensors", "report.html"),
        *("samples", "summary.json"),
    }
    assert not leftovers(folder)
    assert (folder.parent / "latest").resolve() == folder.resolve()


def test_the_report_is_self_contained(finished):
    page = (finished[0].run.folder / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and 'src="data:image' in page


def test_there_is_one_row_per_epoch(finished):
    experiment, events, _ = finished
    rows = list(csv.DictReader(experiment.run.results.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert sum(isinstance(event, Round) for event in events) == 2
    assert int(rows[-1]["step"]) == experiment.trainer.steps == 4


def test_the_final_metrics_are_those_of_the_best_model(finished):
    experiment, _, evaluation = finished
    again = fc.evaluate(fc.load(experiment.run.folder), fc.open_data(TINY["data"], "val"))
    assert (again.confusion.counts == evaluation.confusion.counts).all()
    summary = json.loads(experiment.run.summary.read_text())
    assert summary["mean_iou"] == again.mean_iou and "ignored" in summary["protocol"]


def test_its_config_reproduces_the_same_bytes(finished, tmp_path):
    experiment = finished[0]
    again = started(tmp_path, RunConfig(**experiment.run.read_config()))
    list(again.events())
    assert again.run.last.read_bytes() == experiment.run.last.read_bytes()
    assert again.run.best.read_bytes() == experiment.run.best.read_bytes()


def test_a_resumed_run_does_not_read_its_initial_weights(tmp_path):
    classes = fc.open_data(TINY["data"], "train").classes
    network = fc.create_model(
        TINY["model"], len(classes), width=1 / 16, hidden=8, mean=(1, 2, 3), std=(4, 5, 6)
    )
    initial = tmp_path / "initial.safetensors"
    fc.Model(network, classes).save(initial)
    config = RunConfig(**TINY, weights=str(initial))
    whole, part = (started(tmp_path / name, config) for name in ("whole", "part"))
    list(whole.events())
    next(part.events())
    part.stop("a test")
    initial.unlink()
    again = Experiment(RunConfig(**part.run.read_config()), run=part.run)
    assert again.model.network.normalization == network.normalization
    again.attach(part.run)
    assert again.trainer.done == 1
    list(again.events())
    for name in ("last", "best"):
        expected = getattr(whole.run, name).read_bytes()
        assert getattr(again.run, name).read_bytes() == expected, name
    with pytest.raises(WeightsError, match="initial"):
        Experiment(config, run=create_run(tmp_path / "new", "train", "tiny"))


def test_open_settings_are_decided_from_the_data():
    config = RunConfig(data="scenes:2@720x960", device="cpu")
    decided = resolve_settings(config, fc.open_data(config.data, "train"))
    assert decided.size is None and decided.input_scale == 1
    assert decided.crop == (256, 256) and decided.batch == 4
    small = resolve_settings(
        RunConfig(data="scenes:10@40x50"), fc.open_data("scenes:10@40x50", "train")
    )
    assert small.size is None and small.input_scale == 1.5  # its poles are thin
    assert small.crop == (60, 75)


def test_evaluate_every_skips_epochs(tmp_path):
    config = RunConfig(**TINY | {"epochs": 3, "evaluate_every": 2})
    experiment = started(tmp_path, config)
    rows = [event.row for event in experiment.events() if isinstance(event, Round)]
    assert [row["mean_iou"] == row["mean_iou"] for row in rows] == [False, True, True]


def test_a_broken_val_split_is_an_error(tmp_path):
    data = fc.open_data("scenes:2@32x40")
    write_image(tmp_path / "images" / "one.png", data[0].image)
    write_labels(tmp_path / "masks" / "one.png", data[0].labels, data.palette)
    (tmp_path / "classes.txt").write_text("\n".join(data.classes))
    (tmp_path / "train.txt").write_text("one\n")
    train = fc.open_data(tmp_path, "train")
    val, note = open_validation(str(tmp_path), train)
    assert val is train and "computed on the training images" in note
    (tmp_path / "val.txt").write_text("gone\n")
    with pytest.raises(DataError, match="gone"):
        open_validation(str(tmp_path), train)


def test_data_without_samples_is_rejected(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(DataError):
        Experiment(RunConfig(data=str(tmp_path)))


def kill(tmp_path, kills, workers):
    command = [sys.executable, Path(__file__).parents[1] / "killing.py", tmp_path, kills, workers]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(map(str, command), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_kills_change_no_byte(tmp_path):
    found = kill(tmp_path, 2, 0)
    assert found == {"kills": 2, "survived": 2, "different": []}


@pytest.mark.slow
def test_twenty_kills_change_no_byte(tmp_path):
    found = kill(tmp_path, 20, 0)
    assert found == {"kills": 20, "survived": 20, "different": []}


@pytest.mark.slow
def test_six_kills_with_two_workers_change_no_byte(tmp_path):
    found = kill(tmp_path, 6, 2)
    assert found == {"kills": 6, "survived": 6, "different": []}
