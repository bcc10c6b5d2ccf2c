"""Label Studio's own coder and our format read the pre-labels back."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.writers.labelstudio import collect, encode, photo_url, predicted
from fullconv.data.formats import open_data
from fullconv.data.labels.label_config import parse_label_config
from fullconv.inference.prediction import Prediction
from fullconv.io.images import write_image

CLASSES = ("background", "road", 'a "quoted" & <b>', "bird")
PALETTE = ((0, 0, 0), (9, 9, 9), (0, 128, 0), (1, 2, 3))
JOB = JobDescription(
    "0123456789abcdef", {"save": ["labelstudio"]}, CLASSES, 2, "ids", palette=PALETTE
)


def predict(seed=0, size=(23, 31), classes=CLASSES):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, size)
    labels[5:15, 8:20] = 1
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).permute(2, 0, 1).float()
    return Prediction(np.full((*size, 3), 90, np.uint8), score.numpy(), classes, PALETTE)


def stored(predictions, folder="photos"):
    """Return what a collector gets of predictions by their photos' names."""
    found = []
    for name, prediction in predictions.items():
        height, width = prediction.labels.shape
        record = PredictionRecord(name, f"{folder}/{name}", name, "key", height, width, 1)
        found.append((record, lambda prediction=prediction: encode(prediction)))
    return found


def collected(predictions, **options):
    return {name: b"".join(pieces) for name, pieces in collect(stored(predictions, **options), JOB)}


def accept(tasks):
    """Return the export after an annotator has accepted all predictions."""
    for number, task in enumerate(tasks, 1):
        result = task.pop("predictions")[0]["result"]
        task |= {"id": number, "annotations": [{"completed_by": 1, "result": result}]}
    return tasks


@pytest.mark.parametrize("background", [True, False])
def test_accepted_predictions_are_the_labels(tmp_path, background):
    classes = CLASSES if background else ("sky", *CLASSES[1:])
    predictions = {
        "a.png": predict(1, classes=classes),
        "ü b.png": predict(2, (9, 14), classes=classes),
    }
    job = replace(JOB, classes=classes)
    files = {name: b"".join(part) for name, part in collect(stored(predictions), job)}
    tasks = accept(json.loads(files["tasks.json"]))
    (tmp_path / "export.json").write_text(json.dumps(tasks), "utf-8")
    (tmp_path / "label_config.xml").write_bytes(files["label_config.xml"])
    for name, prediction in predictions.items():
        write_image(tmp_path / "images" / name, prediction.image)
    option = "" if background else "?unlabeled=ignore"
    data = open_data(f"labelstudio:{tmp_path}{option}")
    assert data.classes == classes and data.palette == PALETTE
    found = {sample.name: sample.labels for sample in (data[0], data[1])}
    for name, prediction in predictions.items():
        assert np.array_equal(found[name.removesuffix(".png")], prediction.labels)


def test_polygons_give_the_same_labels(tmp_path):
    prediction = predict()
    task = {"data": {"image": "a.png"}, "predictions": [predicted(prediction, polygons=True)]}
    (tmp_path / "export.json").write_text(json.dumps(accept([task])), "utf-8")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES), "utf-8")
    write_image(tmp_path / "a.png", prediction.image)
    assert np.array_equal(open_data(f"labelstudio:{tmp_path}")[0].labels, prediction.labels)


def test_tasks_name_the_model_and_do_not_depend_on_the_order():
    predictions = {"b.png": predict(1), "a.png": predict(2)}
    files = collected(predictions)
    assert files == collected(dict(reversed(predictions.items())))
    tasks = json.loads(files["tasks.json"])
    assert [task["data"]["image"] for task in tasks] == [
        "/data/local-files/?d=photos/a.png",
        "/data/local-files/?d=photos/b.png",
    ]
    best = predictions["a.png"].probabilities.max(0)
    for task in tasks:
        (one,) = task["predictions"]
        assert one["model_version"] == JOB.model and one["score"] == pytest.approx(
            best.mean(), abs=1e-5
        )
        assert [region["value"]["brushlabels"] for region in one["result"]] == [
            [CLASSES[1]],
            [CLASSES[2]],
        ]
        assert all(0 < region["score"] <= 1 for region in one["result"])
    assert json.loads(collected({})["tasks.json"]) == []


def test_the_configuration_has_all_classes():
    config = parse_label_config(collected({})["label_config.xml"].decode(), "here")
    (tag,) = config.tags
    assert (tag.kind, tag.name, tag.to_name) == ("BrushLabels", "label", "image")
    assert config.labels == CLASSES and config.palette == PALETTE
    assert config.images == {"image": "image"}


def test_urls_of_photos(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert photo_url("https://a.example/b.jpg") == "https://a.example/b.jpg"
    assert photo_url("./new/a b.jpg") == "/data/local-files/?d=new/a%20b.jpg"
    assert photo_url("/data/set/a.jpg") == "/data/local-files/?d=data/set/a.jpg"
    outside = photo_url("../other/a.jpg")
    assert outside == f"/data/local-files/?d={str(tmp_path.parent).lstrip('/')}/other/a.jpg"


def test_label_studios_interface_accepts_the_prediction():
    objects = pytest.importorskip(
        "label_studio_sdk.label_interface", reason="label-studio-sdk validates predictions"
    )
    config = collected({})["label_config.xml"].decode()
    interface = objects.LabelInterface(config)
    for polygons in (False, True):
        text = config.replace("BrushLabels", "PolygonLabels") if polygons else config
        interface = objects.LabelInterface(text)
        found = predicted(predict(), "version", polygons=polygons)
        assert interface.validate_prediction(found, return_errors=True) == []
