"""Annotations that Label Studio sends become corrections, which training takes."""

import base64

import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import open_data
from fullconv.data.labels.brush_rle import encode_brush
from fullconv.io.images import encode_png
from fullconv.serving import Settings
from fullconv.serving._label_studio import LabelStudio
from label_studio import PATH, PIXELS, tool
from photos import CLASSES
from serving_models import client, make_service

SIZE = PIXELS.shape[:2]
LABELS = np.random.default_rng(5).integers(0, len(CLASSES), SIZE)
LABELS[:4, :9] = 255


@pytest.fixture
def studio():
    with tool() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "corrected"


@pytest.fixture
def backend(models, studio, folder):
    return connect(models, folder, studio.url)


def connect(models, folder, url, **limits):
    settings = Settings(corrections=folder, label_studio=LabelStudio(url))
    service = make_service(models, settings=settings, **limits)
    service.ready = True
    return client(service)


def event(labels=LABELS, url=PATH, task=7, **more):
    """Return what Label Studio sends when an annotation is submitted."""
    regions = [
        {
            "type": "brushlabels",
            "original_width": labels.shape[1],
            "original_height": labels.shape[0],
            "value": {
                "format": "rle",
                "rle": list(encode_brush(labels == label)),
                "brushlabels": [name],
            },
        }
        for label, name in enumerate(CLASSES)
    ]
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": 1, "result": regions, "was_cancelled": False} | more,
        "task": {"id": task, "data": {"image": url}},
        "project": {"id": 1},
    }


def send(http, values):
    response = http.post("/label-studio/webhook", json=values)
    return response.status_code, response.json()["accepted"]


def masks(folder):
    return {path.stem: np.asarray(Image.open(path)) for path in (folder / "masks").iterdir()}


def test_an_annotation_becomes_a_sample_that_training_takes(backend, folder, studio):
    assert send(backend, event()) == (202, True)
    (sample,) = open_data(str(folder)).take([0])
    assert (sample.image == PIXELS).all() and (sample.labels == LABELS).all()
    assert sample.name == "a-b" and studio.seen == ["/data/upload/1/0a1b2c3d-a%20b.png"]


def test_a_later_annotation_replaces_the_mask(backend, folder):
    send(backend, event())
    flipped = LABELS[::-1]
    assert send(backend, event(flipped) | {"action": "ANNOTATION_UPDATED"}) == (202, True)
    assert [*masks(folder)] == ["a-b"] and (masks(folder)["a-b"] == flipped).all()


def test_another_photo_of_this_name_has_its_task_in_the_name(backend, folder):
    send(backend, event())
    other = encode_png(255 - PIXELS)
    send(backend, event(url="data:image/png;base64," + base64.b64encode(other).decode()))
    assert sorted(masks(folder)) == ["a-b", "task-7"]
    (folder / "images" / "a-b.png").write_bytes(other)
    send(backend, event(task="9"))
    assert sorted(masks(folder)) == ["a-b", "a-b-task-9", "task-7"]


@pytest.mark.parametrize(
    "values",
    [
        event(was_cancelled=True),
        event() | {"action": "ANNOTATIONS_DELETED"},
        event() | {"action": "PROJECT_UPDATED"},
        {"action": "ANNOTATION_CREATED"},
        event() | {"task": None},
        {},
    ],
)
def test_other_events_save_nothing(backend, folder, values):
    assert send(backend, values) == (200, False)
    assert not masks(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (event(result=7), "result"),
        (event(result=[7]), "region"),
        (event() | {"annotation": [event()["annotation"]]}, "result"),
        (event() | {"task": {"id": 1, "data": {"text": "a"}}}, "photos in the task's data"),
    ],
)
def test_what_cannot_be_read_is_refused(backend, folder, values, message):
    response = backend.post("/label-studio/webhook", json=values)
    assert response.status_code in (400, 422), response.text
    assert message in response.json()["detail"] and not masks(folder)


def test_what_cannot_be_saved_is_logged(backend, folder, caplog):
    region = event()["annotation"]["result"][0]
    unknown = region | {"value": region["value"] | {"brushlabels": ["cat"]}}
    for values, message in (
        (event(np.zeros((5, 6), int)), "drawn on"),
        (event(result=[unknown]), "'cat'"),
        (event(url="/data/nothing.png"), "404"),
        (event(url="http://elsewhere.example/data/a.png"), "nothing else is fetched"),
        (event(url="/data/text.png"), "not saved"),
    ):
        caplog.clear()
        assert send(backend, values) == (202, True)
        assert message in caplog.text and "not saved" in caplog.text
    assert not masks(folder)


def test_memory_counts(models, studio, folder, caplog, monkeypatch):
    monkeypatch.setattr("fullconv.serving._annotations.PIXEL", 2**20)
    http = connect(models, folder, studio.url)
    assert send(http, event()) == (202, True)
    assert "takes more memory than the server has" in caplog.text and not masks(folder)


def test_events_and_setups_that_never_fit_the_memory_are_refused(models, studio, folder):
    http = connect(models, folder, studio.url, memory=20_000)
    for path, values in (("webhook", event()), ("setup", {"schema": "a" * 9000})):
        response = http.post(f"/label-studio/{path}", json=values)
        assert response.status_code == 422
        assert "to be parsed; the memory given is 19.5 KiB" in response.json()["detail"]
    assert not masks(folder)


def test_what_an_event_holds_is_given_back(models, studio, folder):
    settings = Settings(corrections=folder, label_studio=LabelStudio(studio.url))
    service = make_service(models, settings=settings)
    for values in (event(), event() | {"action": "PROJECT_UPDATED"}, event(result=7)):
        client(service).post("/label-studio/webhook", json=values)
        assert service.planned_bytes == service.in_progress == 0


def test_without_a_folder_nothing_is_saved(models, studio):
    service = make_service(models, settings=Settings(label_studio=LabelStudio(studio.url)))
    assert send(client(service), event()) == (200, False)
    assert not studio.seen


def test_a_full_server_refuses(models, studio, folder):
    service = make_service(
        models,
        settings=Settings(corrections=folder, label_studio=LabelStudio(studio.url)),
        queue=0,
    )
    with service.place():
        response = client(service).post("/label-studio/webhook", json=event())
    assert response.status_code == 503
    assert service.in_progress == 0
