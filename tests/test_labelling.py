"""The loop of docs/labelling.md: photos, pre-labels, corrections, training, better pre-labels."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import fullconv as fc
from fullconv.cli import run
from fullconv.data.labels.brush_rle import encode_brush
from fullconv.io.images import read_image, read_mask
from photos import write_model, write_photos

DOCS = Path(__file__).parents[1] / "docs" / "labelling.md"
FAST = [
    "--model",
    "fcn8s-vgg11_bn",
    "--width",
    "0.0625",
    "--hidden",
    "8",
    "--epochs",
    "1",
    "--batch",
    "2",
    "--size",
    "20x24",
    "--quiet",
    "--name",
    "corrected",
]


def predict(model, photos, out, kinds="labels,labelstudio"):
    assert run(["predict", str(model), str(photos), "--out", str(out), "--save", kinds]) == 0
    return {path.stem: read_mask(path) for path in sorted((out / "labels").glob("*.png"))}


def corrected(tasks, name, mask, label):
    """Return an export of the tasks: accepted as they are, but for one region painted over one."""
    for number, task in enumerate(tasks, 1):
        results = task.pop("predictions")[0]["result"]
        if task["data"]["image"].endswith(f"{name}.png"):
            value = {"format": "rle", "rle": list(encode_brush(mask)), "brushlabels": [label]}
            results.append({**results[0], "id": "painted", "value": value})
        annotation = {"completed_by": 1, "was_cancelled": False, "result": results}
        task |= {"id": number, "annotations": [annotation]}
    return tasks


@pytest.fixture
def project(tmp_path):
    """Return a model, photos, their pre-labels, and the folder of the corrected export."""
    model = write_model(tmp_path / "street.safetensors")
    write_photos(tmp_path / "new", 6)
    labels = predict(model, tmp_path / "new", tmp_path / "pre")
    folder = tmp_path / "corrected"
    shutil.copytree(tmp_path / "new", folder / "images")
    shutil.copy(tmp_path / "pre" / "labelstudio-import" / "label_config.xml", folder)
    return model, labels, folder


def export(folder, name, mask, label):
    tasks = json.loads((folder.parent / "pre" / "labelstudio-import" / "tasks.json").read_text())
    (folder / "export.json").write_text(json.dumps(corrected(tasks, name, mask, label)))


def test_the_export_is_the_pre_labels_with_the_correction(project):
    model, labels, folder = project
    classes, name = fc.load(model).classes, next(iter(labels))
    mask = np.zeros(labels[name].shape, bool)
    mask[3:9, 4:11] = True
    export(folder, name, mask, classes[1])
    data = fc.open_data(f"labelstudio:{folder}?unlabeled=ignore")
    assert data.classes == classes and len(data) == len(labels)
    for number in range(len(data)):
        sample = data[number]
        expected = labels[sample.name]
        if sample.name == name:
            expected = np.where(mask, 1, expected)
        assert np.array_equal(sample.labels, expected)
        assert np.array_equal(sample.image, read_image(folder / "images" / f"{sample.name}.png"))


def test_an_older_models_pre_labels_are_told_apart(project, tmp_path):
    _, _, folder = project
    other = write_model(tmp_path / "other.safetensors", seed=7)
    predict(other, folder / "images", tmp_path / "again")
    versions = set()
    for out in ("pre", "again"):
        tasks = json.loads((tmp_path / out / "labelstudio-import" / "tasks.json").read_text())
        versions |= {task["predictions"][0]["model_version"] for task in tasks}
    assert len(versions) == 2


@pytest.mark.slow  # trains
def test_a_model_is_trained_on_the_corrections(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, labels, folder = project
    name = next(iter(labels))
    export(folder, name, np.ones(labels[name].shape, bool), fc.load(model).classes[1])
    source = f"labelstudio:{folder}?unlabeled=ignore"
    out = tmp_path / "runs"
    assert run(["check", source, "--quiet"]) == 0
    command = ["train", source, "--weights", str(model), "--out", str(out), *FAST]
    assert run(command) == 0
    better = predict(out / "train" / "corrected-001", folder / "images", tmp_path / "better")
    assert better.keys() == labels.keys()


def test_the_page_names_what_exists():
    text = DOCS.read_text("utf-8")
    from fullconv.batch.writers import writers
    from fullconv.data.formats import formats

    kinds = {kind for line in re.findall(r"--save ([\w,-]+)", text) for kind in line.split(",")}
    assert kinds <= {*writers} and {"labelstudio", "cvat", "labelme"} <= {*formats}
