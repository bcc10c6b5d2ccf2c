"""pycocotools and the coco format read the labels back."""

import json

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.batch.writers.coco import encode, merge_coco
from fullconv.inference.prediction import Prediction
from fullconv.io.images import write_image

CLASSES, PALETTE = ("sky", "road", "car", "bird"), ((0, 0, 255), (9, 9, 9), (0, 128, 0), (1, 2, 3))


def predict(seed=0, size=(23, 31), classes=3):
    labels = np.random.default_rng(seed).integers(0, classes, size)
    labels[5:15, 8:20] = 1
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).permute(2, 0, 1).float()
    image = np.full((*size, 3), 90, np.uint8)
    return Prediction(image, score.numpy(), CLASSES, PALETTE)


def encoded(prediction):
    return json.loads(encode(prediction))


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("size", [(23, 31), (1, 1), (1, 400), (400, 1), (70, 90)])
def test_pycocotools_decodes_the_labels(size):
    masks = pytest.importorskip("pycocotools.mask", reason="pycocotools decodes")
    found = predict(size=size)
    content = encoded(found)
    again = np.full(size, 255, np.uint8)
    for one in content["annotations"]:
        mask = masks.decode(one["segmentation"]).astype(bool)
        assert one["area"] == mask.sum() == masks.area(one["segmentation"])
        assert one["bbox"] == masks.toBbox(one["segmentation"]).tolist()
        again[mask] = one["category_id"]
    assert (again == found.labels).all()


def test_run_lengths_equal_those_of_pycocotools():
    masks = pytest.importorskip("pycocotools.mask", reason="pycocotools encodes")
    found = predict(size=(300, 200))
    for one in encoded(found)["annotations"]:
        mask = np.asfortranarray(found.labels == one["category_id"], np.uint8)
        assert masks.encode(mask)["counts"].decode() == one["segmentation"]["counts"]


def test_absent_classes_are_categories_only():
    content = encoded(predict())
    assert [one["name"] for one in content["categories"]] == list(CLASSES)
    assert [one["category_id"] for one in content["annotations"]] == [0, 1, 2]


def test_merged_predictions_are_a_data_set(tmp_path):
    predictions = {"a.png": predict(1), "ü b.png": predict(2, (9, 14))}
    for name, found in predictions.items():
        write_image(tmp_path / "images" / name, found.image)
    content = merge_coco((name, encode(found)) for name, found in predictions.items())
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "stuff_all.json").write_bytes(content)
    data = fc.open_data(f"coco:{tmp_path}?kind=stuff")
    assert data.classes == CLASSES
    read = sorted((sample.labels.tolist() for sample in data), key=len)
    assert read == sorted((found.labels.tolist() for found in predictions.values()), key=len)
    numbers = [one["id"] for one in json.loads(content)["annotations"]]
    assert numbers == list(range(1, 1 + len(numbers)))
