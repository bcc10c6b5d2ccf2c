"""Hugging Face's client gets segments whose masks are the labels."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fullconv.io.images import encode_png
from serving_models import client, make_service, running

PIXELS = np.random.default_rng(3).integers(0, 256, (33, 47, 3), np.uint8)
PHOTO = encode_png(PIXELS)


def masks(segments):
    """Return label -> mask (H, W) of 0 and 255."""
    return {
        segment["label"]: np.asarray(Image.open(io.BytesIO(base64.b64decode(segment["mask"]))))
        for segment in segments
    }


def expected(models, name="street"):
    return models[name].model.predict(PIXELS, scores=True)


def test_segments_are_the_classes_that_occur(http, models):
    found = http.post("/hf", content=PHOTO).json()
    prediction = expected(models)
    occurring = [prediction.classes[label] for label in np.unique(prediction.labels)]
    assert [segment["label"] for segment in found] == occurring
    for name, mask in masks(found).items():
        label = prediction.classes.index(name)
        assert np.array_equal(mask, np.where(prediction.labels == label, 255, 0))
        score = next(s["score"] for s in found if s["label"] == name)
        best = prediction.probabilities.max(0)[prediction.labels == label].mean()
        assert score == pytest.approx(best, abs=1e-5)


def test_json_requests(http):
    text = base64.b64encode(PHOTO).decode()
    raw = http.post("/hf", content=PHOTO).json()
    assert http.post("/hf", json={"inputs": text}).json() == raw
    semantic = {"inputs": text, "parameters": {"subtask": "semantic"}}
    assert http.post("/hf", json=semantic).json() == raw
    for wrong in (
        {"inputs": text, "parameters": {"subtask": "panoptic"}},
        {"inputs": text, "parameters": {"threshold": 0.5}},
        {"inputs": text, "options": {}},
        {"inputs": "http://127.0.0.1/a.png"},
        {"inputs": ""},
        {},
    ):
        response = http.post("/hf", json=wrong)
        assert response.status_code == 400 and response.json()["error"]
    assert http.post("/hf/other", content=PHOTO).json() != raw
    assert http.post("/hf/nothing", content=PHOTO).status_code == 404


def test_the_real_client(models, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    # The tests forbid downloads; the address here is this machine's.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    with running(make_service(models)) as server:
        found = hub.InferenceClient().image_segmentation(str(path), model=f"{server.url}/hf")
        semantic = hub.InferenceClient().image_segmentation(
            str(path), model=f"{server.url}/hf/other", subtask="semantic"
        )
    for segments, name in ((found, "street"), (semantic, "other")):
        prediction = expected(models, name)
        labels = np.full(prediction.labels.shape, 255)
        for segment in segments:
            mask = np.asarray(segment.mask) == 255
            labels[mask] = prediction.classes.index(segment.label)
        assert np.array_equal(labels, prediction.labels)


def test_problems_have_the_field_that_clients_read(models):
    response = client(make_service(models)).post("/hf", content=b"no photo")
    assert response.status_code == 422
    assert response.json()["error"] == response.json()["detail"]
