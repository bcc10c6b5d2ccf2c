"""The hub's own library reads the card, and fullconv the model."""

import json

import numpy as np
import pytest

import export_models
import fullconv as fc
from fullconv.config import Head
from fullconv.errors import ConfigError
from fullconv.export.targets import Wanted, huggingface, targets

FILE = "model.safetensors"
SUMMARY = {
    "mean_iou": 0.5,
    "pixel_accuracy": 0.75,
    "mean_accuracy": None,
    "frequency_weighted_iou": 0.625,
    "per_class": {"road": {"iou": 0.5}, "s|ky": {"iou": None}},
    "images": 12,
    "split": "val",
    "protocol": "3 classes; full size",
    "data": "coco:/home/someone/photos?kind=stuff",
    "best_epoch": 3,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    export_models.model(size=(60, 60)).save(folder / "best.safetensors")
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    return folder


def write(source, path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface, "is_cached", lambda: False)
        wanted = Wanted(fc.load(source), source, path, export_models.photos((70, 90)))
        return targets["huggingface"].write(wanted)


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    """Return the folder of a run, and what was written."""
    path = tmp_path_factory.mktemp("hub") / "street"
    return path, write(run, path)


def test_the_folder(run, written):
    path, found = written
    names = {file.name for file in path.iterdir()}
    assert names == {FILE, "config.json", "README.md", "metrics.json", "model.onnx"}
    assert (path / FILE).read_bytes() == (run / "best.safetensors").read_bytes()
    assert "no page (index.html): ONNX Runtime Web is not in the cache" in " ".join(found.notes)
    config = json.loads((path / "config.json").read_text())
    assert config["classes"] == list(export_models.CLASSES) and config["size"] == [60, 60]
    assert config["library_name"] == "fullconv" and "training" not in config
    metrics = json.loads((path / "metrics.json").read_text())
    assert (
        metrics["mean_iou"] == 0.5 and metrics["data"] == "photos" and "best_epoch" not in metrics
    )
    image = export_models.photos((33, 47))[0]
    labels = [fc.load(file).predict(image).labels for file in (run, path / FILE)]
    assert np.array_equal(*labels)


def test_the_hubs_library_reads_the_card(written):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(written[0] / "README.md")
    data = card.data
    assert data.library_name == "fullconv" and data.pipeline_tag == "image-segmentation"
    assert "semantic-segmentation" in data.tags and data.model_name == "street"
    values = {result.metric_type: result.metric_value for result in data.eval_results}
    assert values == {"mean_iou": 0.5, "pixel_accuracy": 0.75, "frequency_weighted_iou": 0.625}
    assert {result.dataset_split for result in data.eval_results} == {"val"}
    assert {result.dataset_name for result in data.eval_results} == {"photos"}
    assert "/home/someone" not in card.content and "| mean IoU | 50.0 |" in card.content
    assert "s\\|ky" in card.content


def test_the_metadata_is_what_the_hubs_library_would_write(written):
    hub = pytest.importorskip("huggingface_hub")
    mine = hub.ModelCard.load(written[0] / "README.md").data.to_dict()
    results = [
        hub.EvalResult(
            task_type="image-segmentation",
            task_name="Semantic segmentation",
            dataset_type="custom",
            dataset_name="photos",
            dataset_split="val",
            metric_type=key,
            metric_value=SUMMARY[key],
            metric_name=title,
        )
        for key, title in huggingface.METRICS.items()
        if SUMMARY[key] is not None
    ]
    theirs = hub.ModelCardData(
        library_name="fullconv",
        pipeline_tag="image-segmentation",
        tags=["semantic-segmentation", "fcn", "onnx"],
        model_name="street",
        eval_results=results,
    )
    assert mine == theirs.to_dict()


def test_a_file_has_no_metrics(run, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface, "export", lambda model, path, photos: path.touch())
    found = write(run / "best.safetensors", tmp_path / "street")
    assert "no metrics" in found.notes[0] and not (tmp_path / "street" / "metrics.json").exists()
    text = (tmp_path / "street" / "README.md").read_text()
    assert "None were measured" in text and "model-index" not in text


def test_a_head_is_written_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface, "export", lambda model, path, photos: path.touch())
    names, black = (("sky", "tree"), ("flat", "tall", "steep")), (0, 0, 0)
    heads = [
        Head(name=name, classes=classes, palette=(black,) * len(classes))
        for name, classes in zip(("thing", "shape"), names, strict=True)
    ]
    network = fc.create_model("fcn32s-vgg11", 5, width=1 / 32, hidden=4)
    model = fc.Model(network, names[0], heads[0].palette, heads=heads)
    model.save(tmp_path / "net.safetensors")
    wanted = Wanted(
        model.head("shape"), tmp_path / "net.safetensors", tmp_path / "hub", [], head="shape"
    )
    targets["huggingface"].write(wanted)
    assert "3 classes, flat, tall, steep." in (tmp_path / "hub" / "README.md").read_text()
    assert "heads" not in json.loads((tmp_path / "hub" / "config.json").read_text())
    found = fc.load(tmp_path / "hub" / FILE)
    assert found.classes == names[1] and not found.heads


def test_folders_are_checked(tmp_path):
    check = targets["huggingface"].check
    with pytest.raises(ConfigError, match="--size"):
        check(tmp_path / "a", (64, 64))
    with pytest.raises(ConfigError, match="name of a file"):
        check(tmp_path / "a.safetensors", None)
