"""Collected files depend on the predictions only, not on how they were made."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv.io.storage
from fullconv.batch.collect import collected_paths, remove_collected, write_collected
from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.writers import writers
from fullconv.batch.writers.contact_sheet import PAGE
from fullconv.errors import OutputError
from fullconv.inference.prediction import Prediction
from fullconv.io.storage import Folder
from photos import content

CLASSES, PALETTE = ("sky", "road"), ((0, 0, 255), (90, 90, 90))
JOB = JobDescription(
    "model", {"save": ["coco", "contact", "labels"]}, CLASSES, 3, "ids", palette=PALETTE
)


def store(place, ids):
    """Write a prediction for each id, and return their records with the place."""
    return [(place, write_prediction(place, input_id)) for input_id in ids]


def write_prediction(place, input_id):
    labels = np.random.default_rng(len(input_id)).integers(0, 2, (6 + len(input_id), 9))
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 2).permute(2, 0, 1).float()
    image = np.full((*labels.shape, 3), 40 * len(input_id) % 256, np.uint8)
    prediction = Prediction(image, score.numpy(), CLASSES, PALETTE)
    files = {kind: f"{kind}/{input_id}{writers[kind].suffix}" for kind in ("coco", "contact")}
    for kind, name in files.items():
        place.write(name, writers[kind].encode(prediction))
    counts = np.bincount(labels.ravel(), minlength=2).tolist()
    pixels = dict(zip(CLASSES, counts, strict=True))
    return PredictionRecord(
        input_id, f"in/{input_id}.png", input_id, "key", *labels.shape, 1, files, pixels
    )


@pytest.fixture
def place(tmp_path):
    return Folder(tmp_path)


def coco(place, job=JOB):
    return json.loads(place.read(job.file("coco", ".json")))


def test_the_coco_file_does_not_depend_on_the_order(place):
    predictions = store(place, ["b", "ccc", "aa"])
    write_collected(place, JOB, predictions)
    once = place.read("coco.json")
    write_collected(place, JOB, predictions[::-1])
    assert place.read("coco.json") == once
    found = json.loads(once)
    assert [(one["id"], one["file_name"]) for one in found["images"]] == [
        *((1, "in/aa.png"), (2, "in/b.png"), (3, "in/ccc.png"))
    ]
    assert [one["id"] for one in found["annotations"]] == list(range(1, 7))
    assert [one["image_id"] for one in found["annotations"]] == [1, 1, 2, 2, 3, 3]


def test_numeric_ids_become_the_image_ids(place):
    write_collected(place, JOB, store(place, ["397133", "9", "37"]))
    assert [one["id"] for one in coco(place)["images"]] == [9, 37, 397133]
    write_collected(place, JOB, store(place, ["007", "9"]))
    assert [one["id"] for one in coco(place)["images"]] == [1, 2], "007 and 7 may be two photos"


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_pycocotools_reads_every_pixel(place, tmp_path):
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools reads the file")
    predictions = store(place, ["b", "ccc"])
    write_collected(place, JOB, predictions)
    found = tools.COCO(tmp_path / "coco.json")
    assert [one["name"] for one in found.loadCats(found.getCatIds())] == list(CLASSES)
    for number, (_, record) in enumerate(predictions, 1):
        image = found.loadImgs(number)[0]
        assert (image["height"], image["width"]) == (record.height, record.width)
        masks = [found.annToMask(one) for one in found.loadAnns(found.getAnnIds(number))]
        assert (sum(masks) == 1).all(), "each pixel has one class"
        assert [int(mask.sum()) for mask in masks] == list(record.pixels.values())


def test_no_predictions_give_an_empty_coco_file(place):
    write_collected(place, JOB, [])
    found = coco(place)
    assert found["images"] == found["annotations"] == [] and len(found["categories"]) == 2
    assert not place.names("contact-sheets")


def test_superfluous_sheets_are_removed(place):
    predictions = store(place, ["x" * (1 + number % 5) + str(number) for number in range(PAGE + 1)])
    write_collected(place, JOB, predictions)
    assert place.names("contact-sheets") == {"001.jpg", "002.jpg"}
    place.write("contact-sheets/mine.jpg", b"the user's own")
    write_collected(place, JOB, predictions[:2])
    assert place.names("contact-sheets") == {"001.jpg", "mine.jpg"}


def test_a_shard_has_its_own_files(place, tmp_path):
    shard = replace(JOB, shard=(1, 4))
    write_collected(place, shard, store(place, ["b"]))
    assert collected_paths(shard) == ["coco-1-of-4.json", "contact-sheets-1-of-4/"]
    assert {"areas-1-of-4.csv", "coco-1-of-4.json"} == place.names()
    assert place.names("contact-sheets-1-of-4") == {"001.jpg"}


def test_a_store_gets_the_same_files(place, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    remote = fullconv.io.storage.open_place("memory://collected")
    try:
        for target in (place, remote):
            write_collected(target, JOB, store(target, ["b", "ccc"]))
        for name in ("areas.csv", "coco.json", "contact-sheets/001.jpg"):
            assert remote.read(name) == place.read(name) is not None
        write_collected(remote, JOB, [])
        assert not remote.names("contact-sheets")
    finally:
        fsspec.filesystem("memory").rm("/collected", recursive=True)


def test_collected_files_follow_the_kinds_and_can_be_removed(place, tmp_path):
    plain = replace(JOB, options={"save": ["labels"]})
    write_collected(place, plain, [])
    assert place.names() == {"areas.csv"} and collected_paths(plain) == []
    before = content(tmp_path)
    write_collected(place, JOB, store(place, ["b"]))
    remove_collected(place, JOB)
    assert {
        name for name in content(tmp_path) if "contact/" not in name and "coco/" not in name
    } == (before.keys() - {"areas.csv"})


def test_a_missing_file_is_named(place):
    predictions = store(place, ["b"])
    place.remove("coco/b.json")
    with pytest.raises(
        OutputError, match=r"coco/b.json was deleted after it was written; run again"
    ):
        write_collected(place, JOB, predictions)


def test_file_names_need_not_be_utf8(place):
    predictions = store(place, ["b"])
    odd = "in/\udcff.png"  # how Python decodes a name that is not UTF-8
    predictions = [(place, replace(predictions[0][1], id=odd, path=odd))]
    write_collected(place, JOB, predictions)
    assert coco(place)["images"][0]["file_name"] == odd
    assert b"\\udcff" in place.read("areas.csv")
