"""What is made of all answers: the same bytes however the answers came about."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv.io.storage
from fullconv.batch.collect import remove_gathered, roots, write_gathered
from fullconv.batch.manifest import Job, PredictionRecord
from fullconv.batch.writers import writers
from fullconv.batch.writers.contact_sheet import PAGE
from fullconv.errors import OutputError
from fullconv.inference.predictor import Prediction
from fullconv.io.storage import Folder
from photos import content

CLASSES, PALETTE = ("sky", "road"), ((0, 0, 255), (90, 90, 90))
JOB = Job("model", {"save": ["coco", "contact", "labels"]}, CLASSES, 3, "ids", palette=PALETTE)


def lying(place, ids):
    """An answer for each id, and its files in a place."""
    return [(place, written(place, one)) for one in ids]


def written(place, one):
    labels = np.random.default_rng(len(one)).integers(0, 2, (6 + len(one), 9))
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 2).permute(2, 0, 1).float()
    image = np.full((*labels.shape, 3), 40 * len(one) % 256, np.uint8)
    answer = Prediction(image, score, CLASSES, PALETTE)
    files = {kind: f"{kind}/{one}{writers[kind].suffix}" for kind in ("coco", "contact")}
    for kind, name in files.items():
        place.write(name, writers[kind].encode(answer))
    counts = np.bincount(labels.ravel(), minlength=2).tolist()
    pixels = dict(zip(CLASSES, counts, strict=True))
    return PredictionRecord(one, f"in/{one}.png", one, "key", *labels.shape, 1, files, pixels)


@pytest.fixture
def place(tmp_path):
    return Folder(tmp_path)


def coco(place, job=JOB):
    return json.loads(place.read(job.file("coco", ".json")))


def test_one_coco_file_whatever_the_order(place):
    answers = lying(place, ["b", "ccc", "aa"])
    write_gathered(place, JOB, answers)
    once = place.read("coco.json")
    write_gathered(place, JOB, answers[::-1])
    assert place.read("coco.json") == once
    found = json.loads(once)
    assert [(one["id"], one["file_name"]) for one in found["images"]] == [
        *((1, "in/aa.png"), (2, "in/b.png"), (3, "in/ccc.png"))
    ]
    assert [one["id"] for one in found["annotations"]] == list(range(1, 7))
    assert [one["image_id"] for one in found["annotations"]] == [1, 1, 2, 2, 3, 3]


def test_ids_that_are_whole_numbers_are_the_images_numbers(place):
    write_gathered(place, JOB, lying(place, ["397133", "9", "37"]))
    assert [one["id"] for one in coco(place)["images"]] == [9, 37, 397133]
    write_gathered(place, JOB, lying(place, ["007", "9"]))
    assert [one["id"] for one in coco(place)["images"]] == [1, 2], "007 and 7 may be two photos"


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_cocos_own_library_finds_every_pixel_again(place, tmp_path):
    tools = pytest.importorskip("pycocotools.coco", reason="COCO's library reads the file")
    answers = lying(place, ["b", "ccc"])
    write_gathered(place, JOB, answers)
    found = tools.COCO(tmp_path / "coco.json")
    assert [one["name"] for one in found.loadCats(found.getCatIds())] == list(CLASSES)
    for number, (_, answer) in enumerate(answers, 1):
        image = found.loadImgs(number)[0]
        assert (image["height"], image["width"]) == (answer.height, answer.width)
        masks = [found.annToMask(one) for one in found.loadAnns(found.getAnnIds(number))]
        assert (sum(masks) == 1).all(), "each pixel has one class"
        assert [int(mask.sum()) for mask in masks] == list(answer.pixels.values())


def test_no_answers_are_an_empty_coco_file(place):
    write_gathered(place, JOB, [])
    found = coco(place)
    assert found["images"] == found["annotations"] == [] and len(found["categories"]) == 2
    assert not place.names("contact-sheets")


def test_sheets_are_as_many_as_the_answers_need(place):
    answers = lying(place, ["x" * (1 + number % 5) + str(number) for number in range(PAGE + 1)])
    write_gathered(place, JOB, answers)
    assert place.names("contact-sheets") == {"001.jpg", "002.jpg"}
    place.write("contact-sheets/mine.jpg", b"the user's own")
    write_gathered(place, JOB, answers[:2])
    assert place.names("contact-sheets") == {"001.jpg", "mine.jpg"}


def test_a_shard_has_its_own_files(place, tmp_path):
    shard = replace(JOB, shard=(1, 4))
    write_gathered(place, shard, lying(place, ["b"]))
    assert roots(shard) == ["coco-1-of-4.json", "contact-sheets-1-of-4/"]
    assert {"areas-1-of-4.csv", "coco-1-of-4.json"} == place.names()
    assert place.names("contact-sheets-1-of-4") == {"001.jpg"}


def test_a_store_gets_the_same_files(place, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    store = fullconv.io.storage.place("memory://gathered")
    try:
        for where in (place, store):
            write_gathered(where, JOB, lying(where, ["b", "ccc"]))
        for name in ("areas.csv", "coco.json", "contact-sheets/001.jpg"):
            assert store.read(name) == place.read(name) is not None
        write_gathered(store, JOB, [])
        assert not store.names("contact-sheets")
    finally:
        fsspec.filesystem("memory").rm("/gathered", recursive=True)


def test_only_what_was_asked_for_is_made_and_all_of_it_can_be_removed(place, tmp_path):
    plain = replace(JOB, options={"save": ["labels"]})
    write_gathered(place, plain, [])
    assert place.names() == {"areas.csv"} and roots(plain) == []
    before = content(tmp_path)
    write_gathered(place, JOB, lying(place, ["b"]))
    remove_gathered(place, JOB)
    assert {
        name for name in content(tmp_path) if "contact/" not in name and "coco/" not in name
    } == (before.keys() - {"areas.csv"})


def test_an_answer_whose_file_is_gone_is_told(place):
    answers = lying(place, ["b"])
    place.remove("coco/b.json")
    with pytest.raises(OutputError, match=r"coco/b.json is gone since it was written; run again"):
        write_gathered(place, JOB, answers)


def test_names_that_are_no_utf8_are_written_all_the_same(place):
    answers = lying(place, ["b"])
    odd = "in/\udcff.png"  # what Python makes of a file's name of other days
    answers = [(place, replace(answers[0][1], id=odd, path=odd))]
    write_gathered(place, JOB, answers)
    assert coco(place)["images"][0]["file_name"] == odd
    assert b"\\udcff" in place.read("areas.csv")
