"""The function has the interface of cvat-sdk, and its shapes are the labels."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from fullconv.data.labels.rasterize import polygon
from fullconv.tools.cvat import SegmentationFunction, create
from photos import write_model

PIXELS = np.random.default_rng(3).integers(0, 256, (33, 47, 3), np.uint8)
PHOTO = Image.fromarray(PIXELS)


@pytest.fixture(scope="module")
def sdk():
    return pytest.importorskip("cvat_sdk.auto_annotation", reason="cvat-sdk runs the function")


@pytest.fixture
def function(tmp_path, sdk):
    write_model(tmp_path / "a.safetensors")
    return create(str(tmp_path / "a.safetensors"))


def context(threshold=None, polygons=False):
    return SimpleNamespace(
        conf_threshold=threshold, conv_mask_to_poly=polygons, frame_name="photo.png"
    )


def painted(shapes, size):
    masks = pytest.importorskip("cvat_sdk.masks")
    labels = np.full(size, 255)
    for shape in shapes:
        assert shape.frame == 0 and not hasattr(shape, "id")
        if shape.type.value == "mask":
            inside = masks.decode_mask(shape.points, image_width=size[1], image_height=size[0])
        else:
            patch = polygon([np.array(shape.points).reshape(-1, 2)[:, ::-1]], size)
            inside = np.zeros(size, bool)
            patch.of(inside)[...] = patch.mask
        labels[inside] = shape.label_id
    return labels


@pytest.mark.parametrize("polygons", [False, True])
def test_the_shapes_are_the_labels(function, polygons):
    expected = function.model.predict(PIXELS).labels
    shapes = function.detect(context(polygons=polygons), PHOTO)
    assert {shape.type.value for shape in shapes} == {"polygon" if polygons else "mask"}
    assert np.array_equal(painted(shapes, expected.shape), expected)


def test_the_classes_have_the_ids_of_their_labels(function, sdk):
    assert isinstance(function.spec, sdk.DetectionFunctionSpec)
    assert [label.name for label in function.spec.labels] == list(function.model.classes)
    assert [label.id for label in function.spec.labels] == [*range(len(function.model.classes))]


def test_the_background_gets_no_shape(function):
    model = function.model
    renamed = fc.Model(model.network, ("background", *model.classes[1:]), model.palette)
    own = SegmentationFunction(renamed)
    assert [label.id for label in own.spec.labels] == [*range(1, len(model.classes))]
    labels = model.predict(PIXELS).labels
    found = painted(own.detect(context(), PHOTO), labels.shape)
    assert np.array_equal(found, np.where(labels == 0, 255, labels))


def test_improbable_pixels_get_no_shape(function):
    prediction = function.model.predict(PIXELS, scores=True)
    best = prediction.probabilities.max(0)
    threshold = float(np.median(best))
    found = painted(function.detect(context(threshold), PHOTO), best.shape)
    assert np.array_equal(found, np.where(best < threshold, 255, prediction.labels))
    assert function.detect(context(1.0), PHOTO) == []


def test_cvats_own_driver_takes_the_shapes(function, sdk):
    """The driver maps the function's labels to those of a task, and checks every shape."""
    driver = pytest.importorskip("cvat_sdk.auto_annotation.driver")
    models = pytest.importorskip("cvat_sdk.models")
    labels = [
        models.Label(name=name, id=100 + number, attributes=[], type="any", sublabels=[])
        for number, name in enumerate(function.model.classes)
    ]
    for polygons in (False, True):
        mapper = driver._AnnotationMapper(
            SimpleNamespace(info=lambda *args, **options: None),
            function.spec.labels,
            labels,
            allow_unmatched_labels=False,
            conv_mask_to_poly=polygons,
        )
        found = function.detect(context(polygons=polygons), PHOTO)
        tags, shapes = mapper.validate_and_remap(found, ds_frame=7)
        assert tags == [] and {shape.label_id for shape in shapes} <= {*range(100, 200)}
        assert all(shape.frame == 7 for shape in shapes)
