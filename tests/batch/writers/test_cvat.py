"""CVAT's files are read back by our formats, and by datumaro's rules for masks."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.writers.cvat import collect, collect_masks, encode
from fullconv.batch.writers.labels import encode as encode_labels
from fullconv.data.formats import open_data
from fullconv.inference.prediction import Prediction
from fullconv.io.images import write_image

CLASSES = ("background", "road", 'a "b" & <c>\'s', "bird")
PALETTE = ((0, 0, 0), (9, 9, 9), (0, 128, 0), (1, 2, 3))
JOB = JobDescription("model", {"save": ["cvat"]}, CLASSES, 2, "ids", palette=PALETTE)


def predict(seed=0, size=(23, 31), classes=CLASSES):
    labels = np.random.default_rng(seed).integers(0, 3, size)
    labels[5:15, 8:20] = 1
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).permute(2, 0, 1).float()
    return Prediction(np.full((*size, 3), 90, np.uint8), score.numpy(), classes, PALETTE)


PREDICTIONS = {"a.png": predict(1), "sub/ü b.png": predict(2, (9, 14))}


FLAT = {"a.png": predict(1), "ü b.png": predict(2, (9, 14))}


def stored(encoder, predictions=PREDICTIONS):
    found = []
    for name, prediction in predictions.items():
        height, width = prediction.labels.shape
        record = PredictionRecord(name, f"photos/{name}", name, "key", height, width, 1)
        found.append((record, lambda prediction=prediction: encoder(prediction)))
    return found


def test_the_masks_of_all_photos_are_the_labels(tmp_path):
    (name, pieces), *rest = collect(stored(lambda p: encode(p, "any.png")), JOB)
    assert name == "annotations.xml" and not rest
    (tmp_path / name).write_bytes(b"".join(pieces))
    for photo, prediction in PREDICTIONS.items():
        write_image(tmp_path / "images" / Path(photo).name, prediction.image)
    data = open_data(tmp_path)
    assert data.classes == CLASSES and data.palette == PALETTE
    for sample, prediction in zip((data[0], data[1]), PREDICTIONS.values(), strict=True):
        assert np.array_equal(sample.labels, prediction.labels)


def test_a_mask_is_decoded_as_cvat_documents_it():
    """Runs go row by row through the box of the mask, the first one outside."""
    prediction = predict(3)
    root = ElementTree.fromstring(encode(prediction, "a.png"))
    (image,) = root.findall("image")
    assert image.get("name") == "a.png" and (image.get("width"), image.get("height")) == (
        "31",
        "23",
    )
    again = np.zeros(prediction.labels.shape, int)
    for mask in image.findall("mask"):
        left, top, width, height = (int(mask.get(k)) for k in ("left", "top", "width", "height"))
        runs = [int(run) for run in mask.get("rle").split(",")]
        flat = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
        assert flat.any(0)[[0, -1]].all() and flat.any(1)[[0, -1]].all(), "the box is tight"
        again[top : top + height, left : left + width][flat == 1] = CLASSES.index(mask.get("label"))
    assert np.array_equal(again, prediction.labels)


def test_cvats_own_coder_agrees():
    masks = pytest.importorskip("cvat_sdk.masks", reason="cvat-sdk encodes masks")
    prediction = predict(4)
    root = ElementTree.fromstring(encode(prediction, "a.png"))
    for mask in root.iter("mask"):
        of_class = prediction.labels == CLASSES.index(mask.get("label"))
        *runs, left, top, right, bottom = map(int, masks.encode_mask(of_class))
        assert [int(run) for run in mask.get("rle").split(",")] == runs
        assert (int(mask.get("left")), int(mask.get("top"))) == (left, top)
        size = (right - left + 1, bottom - top + 1)
        assert (int(mask.get("width")), int(mask.get("height"))) == size


@pytest.mark.parametrize("background", [True, False])
def test_the_archive_of_masks(tmp_path, background):
    classes = CLASSES if background else ("sky", *CLASSES[1:])
    palette = PALETTE if background else ((70, 130, 180), *PALETTE[1:])
    recolored = lambda p: encode_labels(replace(p, palette=palette))  # noqa: E731
    job = replace(JOB, classes=classes, palette=palette)
    (name, pieces), *rest = collect_masks(stored(recolored, FLAT), job)
    assert name == "" and not rest
    content = b"".join(pieces)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        lines = archive.read("labelmap.txt").decode().splitlines()[1:]
        colors = {line.split(":")[0]: line.split(":")[1] for line in lines}
        known = {name: tuple(map(int, color.split(","))) for name, color in colors.items()}
        assert known == {"background": (0, 0, 0)} | dict(zip(classes, palette, strict=True))
        listed = archive.read("ImageSets/Segmentation/default.txt").decode().splitlines()
        assert listed == ["a", "ü b"]
        for stem, prediction in zip(listed, FLAT.values(), strict=True):
            mask = archive.read(f"SegmentationClass/{stem}.png")
            picture = np.asarray(Image.open(io.BytesIO(mask)).convert("RGB"))
            assert np.array_equal(picture, np.array(palette)[prediction.labels])
        archive.extractall(tmp_path)
    for photo, prediction in FLAT.items():
        write_image(Path(tmp_path, "JPEGImages", photo), prediction.image)
    data = open_data(tmp_path)
    for sample, prediction in zip((data[0], data[1]), FLAT.values(), strict=True):
        expected = np.array([data.classes.index(name) for name in classes])[prediction.labels]
        assert np.array_equal(sample.labels, expected)


@pytest.mark.parametrize(
    ("names", "stems"),
    [(("new/a.png", "old/b.png"), ["a", "b"]), (("new/a.png", "old/a.png"), ["new/a", "old/a"])],
)
def test_photos_keep_their_folders_if_names_repeat(names, stems):
    predictions = dict(zip(names, PREDICTIONS.values(), strict=True))
    ((_, pieces),) = collect_masks(stored(encode_labels, predictions), JOB)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        masks = [name for name in archive.namelist() if name.endswith(".png")]
    assert masks == [f"SegmentationClass/{stem}.png" for stem in stems]
    ((_, pieces),) = collect(stored(encode, predictions), JOB)
    images = ElementTree.fromstring(b"".join(pieces)).findall("image")
    assert [image.get("name") for image in images] == [f"{stem}.png" for stem in stems]


def test_equal_predictions_give_equal_archives():
    first, second = (
        [b"".join(pieces) for _, pieces in collect_masks(stored(encode_labels)[::step], JOB)]
        for step in (1, -1)
    )
    assert first == second


HOSTILE = [
    "s1/a.jpg",
    "s1/a.png",
    "s2/a.png",
    "s2/a_jpg.png",
    "caf\udce9.png",
    "",
    "..",
    "/../b.png",
]


def test_every_mask_has_a_safe_name_of_its_own():
    (_, pieces), *_ = collect_masks(
        stored(encode_labels, {name: predict(number) for number, name in enumerate(HOSTILE)}), JOB
    )
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        masks = [name for name in archive.namelist() if name.endswith(".png")]
        listed = archive.read("ImageSets/Segmentation/default.txt").decode().splitlines()
    assert len({*masks}) == len(HOSTILE) and masks == [f"SegmentationClass/{s}.png" for s in listed]
    assert {"s1/a_jpg", "s1/a_png", "s2/a", "s2/a_jpg", "caf_", "b"} <= {*listed}
    assert not any(".." in name or "//" in name for name in masks)
