"""LabelMe's own rasterization, and our format, read the files back."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fullconv.batch.writers import writers
from fullconv.data.formats import open_data
from fullconv.inference.prediction import Prediction
from fullconv.io.images import write_image

CLASSES = ("background", "road", "car", "bird")
PALETTE = ((0, 0, 0), (9, 9, 9), (0, 128, 0), (1, 2, 3))
each_kind = pytest.mark.parametrize("kind", ["labelme", "labelme-masks"])


def predict(seed=0, size=(23, 31), classes=CLASSES, scale=1):
    labels = np.random.default_rng(seed).integers(0, 3, size)
    labels = np.kron(labels, np.ones((scale, scale), int))
    labels[5:15, 8:20] = 1
    labels[8:10, 10:12] = 0
    score = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).permute(2, 0, 1).float()
    return Prediction(np.full((*labels.shape, 3), 90, np.uint8), score.numpy(), classes, PALETTE)


@each_kind
@pytest.mark.parametrize("seed", range(4))
def test_the_shapes_are_the_labels(tmp_path, kind, seed):
    prediction = predict(seed)
    write_image(tmp_path / "a b.png", prediction.image)
    content = writers[kind].encode_photo(prediction, "photos/a b.png")
    (tmp_path / "a b.json").write_bytes(content)
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES))
    data = open_data(tmp_path)
    assert data.classes == CLASSES and np.array_equal(data[0].labels, prediction.labels)


@each_kind
def test_every_class_is_drawn_if_none_is_the_background(kind):
    prediction = predict(classes=("sky", "road", "car", "bird"))
    shapes = json.loads(writers[kind].encode(prediction))["shapes"]
    assert {shape["label"] for shape in shapes} == {"sky", "road", "car"}


@pytest.mark.parametrize("label", [1, 2])
def test_polygons_as_labelme_rasterizes_them(label):
    """LabelMe fills a polygon and draws its outline (labelme.utils.shape_to_mask)."""
    prediction = predict(size=(8, 11), scale=4)
    drawn = np.zeros(prediction.labels.shape, bool)
    for shape in json.loads(writers["labelme"].encode(prediction))["shapes"]:
        if shape["label"] == CLASSES[label]:
            picture = Image.new("L", drawn.shape[::-1])
            ImageDraw.Draw(picture).polygon([tuple(point) for point in shape["points"]], 1, 1)
            drawn |= np.array(picture, bool)
    region = prediction.labels == label
    assert (drawn & region).sum() / (drawn | region).sum() >= 0.98


def test_masks_as_labelme_places_them():
    """The corners are the first and the last pixel of the mask."""
    prediction = predict()
    found = np.zeros(prediction.labels.shape, int)
    for shape in json.loads(writers["labelme-masks"].encode(prediction))["shapes"]:
        (left, top), (right, bottom) = shape["points"]
        mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) > 0
        found[top : bottom + 1, left : right + 1][mask] = CLASSES.index(shape["label"])
    assert np.array_equal(found, prediction.labels)


@each_kind
def test_the_file_names_its_photo(kind):
    writer = writers[kind]
    for path in ("a.jpg", "new/a.jpg", "https://a.example/x/a.jpg?key=1"):
        content = json.loads(writer.encode_photo(predict(), path))
        assert content["imagePath"] == "a.jpg" and content["imageData"] is None
        assert (content["imageHeight"], content["imageWidth"]) == (23, 31)
