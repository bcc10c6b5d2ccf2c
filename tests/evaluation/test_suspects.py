"""Suspected label errors: found where they were injected, and exported without loss."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from pycocotools.coco import COCO

from drawn_labels import labels_and_prediction
from fullconv.data.formats.labelme import layer_of, shapes_of
from fullconv.data.labels.classes import read_text
from fullconv.data.sample import Data, Sample
from fullconv.errors import DataError
from fullconv.evaluation.accepted_labels import accept_labels, corrected, reviewed_split
from fullconv.evaluation.suspect_files import write_suspects
from fullconv.evaluation.suspects import SuspectFinder, suspects_in, trained_on
from fullconv.io.images import read_mask
from fullconv.io.palettes import VOID

CLASSES = ("sky", "road", "car")
SIZE = (40, 50)


def truth():
    labels = np.zeros(SIZE, np.uint8)
    labels[20:] = 1
    return labels


def scored(labels, certainty=5.0):
    """Return scores that predict these labels."""
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels).long(), 3)
    return certainty * one_hot.permute(2, 0, 1).float()


def with_errors():
    """Labels in which a car is unlabelled: a ring of 10 x 10 pixels, and a square of 6 x 6."""
    expected = truth()
    expected[25:37, 5:19] = 2
    expected[29:33, 10:14] = 1  # a hole
    expected[2:5, 30:34] = 1  # too small
    return truth(), expected


def found_in(target, predicted, name="a", certainty=5.0):
    return list(suspects_in(name, target, predicted, scored(predicted, certainty)))


def test_a_region_that_contradicts_its_label_is_found_once():
    target, expected = with_errors()
    (suspect,) = found_in(target, expected)
    assert (suspect.given, suspect.expected, suspect.area) == (1, 2, 12 * 14 - 16)
    assert (suspect.top, suspect.left, suspect.mask.shape) == (25, 5, (12, 14))
    assert (expected[suspect.crop] == 2).tolist() == suspect.mask.tolist()


def test_the_score_is_the_root_of_the_area_times_the_log_ratio():
    target, expected = with_errors()
    (suspect,) = found_in(target, expected)
    p = np.exp([0, 0, 5]) / np.exp([0, 0, 5]).sum()
    ratio = np.log((p[2] + 1e-4) / (p[1] + 1e-4))
    assert suspect.score == pytest.approx(np.sqrt(152) * ratio, rel=1e-5)


def test_neither_boundaries_nor_ignored_pixels_are_suspected():
    target, expected = with_errors()
    shifted = truth()
    shifted[20:22] = 0
    assert found_in(truth(), shifted) == []
    ignored = np.where(expected == 2, np.uint8(VOID), target)
    assert found_in(ignored, np.where(expected == 1, target, expected)) == []
    nothing = np.where(expected == 2, np.uint8(VOID), expected)
    assert list(suspects_in("a", target, nothing, scored(expected))) == []


def test_only_confident_contradictions_of_size_are_found():
    target, expected = with_errors()
    assert found_in(target, expected)[0].area >= 50
    small = np.where(expected == 2, target, expected)
    assert found_in(target, small) == []


def test_the_most_suspicious_regions_of_all_images_are_kept():
    target, expected = with_errors()
    finder = SuspectFinder(2)
    for name, certainty in (("a", 1.0), ("b", 9.0), ("c", 4.0)):
        finder.add(name, target, expected, scored(expected, certainty))
    assert [suspect.name for suspect in finder.found] == ["b", "c"]


@pytest.fixture
def data():
    target, _ = with_errors()
    samples = [Sample(np.full((*SIZE, 3), 90, np.uint8), target, name) for name in "ab"]
    palette = ((0, 0, 255), (128, 128, 128), (255, 0, 0))
    return Data("drawn", "val", CLASSES, palette, ("a", "b"), samples.__getitem__)


@pytest.fixture
def folder(data, tmp_path):
    target, expected = with_errors()
    write_suspects(tmp_path / "out", found_in(target, expected), data)
    return tmp_path / "out"


def test_labelme_polygons_are_the_regions(folder):
    _, expected = with_errors()
    path = folder / "suspects.labelme" / "a.json"
    content = json.loads(path.read_text())
    keys = {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"}
    assert keys < content.keys() and (path.parent / content["imagePath"]).is_file()
    (shape,) = content["shapes"]
    assert (shape["label"], shape["shape_type"]) == ("car", "polygon")
    assert (shape["description"], shape["flags"]) == ("was: road", {"suspect": True})
    ((record, where),) = shapes_of(path)
    patch = layer_of(record, where, CLASSES, SIZE).patch
    drawn = np.zeros(SIZE, bool)
    patch.of(drawn)[...] = patch.mask
    assert (drawn == (expected == 2)).all()  # the hole, too


def drawn_by_labelme(shape, size):
    """Rasterize a polygon as LabelMe's shape_to_mask does: filled, and with its outline."""
    picture = Image.new("L", size[::-1])
    ImageDraw.Draw(picture).polygon([tuple(point) for point in shape["points"]], 1, 1)
    return np.array(picture, bool)


@pytest.mark.parametrize("seed", range(4))
def test_labelme_draws_the_same_regions(seed, tmp_path):
    target, predicted = labels_and_prediction(seed)
    target, predicted = (np.kron(part, np.ones((3, 3), np.uint8)) for part in (target, predicted))
    predicted[target == VOID] = VOID
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(predicted % 4).long(), 4)
    found = [*suspects_in("a", target, predicted, 5 * one_hot.permute(2, 0, 1).float())]
    image = np.zeros((*target.shape, 3), np.uint8)
    palette = ((0, 0, 0),) * 4
    data = Data("x", None, (*"abcd",), palette, ("a",), lambda _: Sample(image, target, "a"))
    write_suspects(tmp_path, found, data)
    shapes = json.loads((tmp_path / "suspects.labelme" / "a.json").read_text())["shapes"]
    drawn = np.any([drawn_by_labelme(shape, target.shape) for shape in shapes], 0)
    regions = np.zeros(target.shape, bool)
    for suspect in found:
        regions[suspect.crop] |= suspect.mask
    assert regions.sum() > 1000
    assert (drawn & regions).sum() / (drawn | regions).sum() >= 0.98


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_masks_are_the_regions(folder, capsys):
    _, expected = with_errors()
    coco = COCO(folder / "suspects.coco.json")
    (annotation,) = coco.loadAnns(coco.getAnnIds())
    assert (coco.annToMask(annotation) == (expected == 2)).all()
    assert coco.cats[annotation["category_id"]]["name"] == "car"
    capsys.readouterr()


def test_the_table_and_the_pictures_have_one_entry_each(folder):
    header, row = (folder / "suspects.csv").read_text().splitlines()
    assert header.startswith("rank,image,given,expected,area,score")
    assert row.startswith("1,a,road,car,152,") and row.endswith(",5,25,14,12")
    assert [path.name for path in (folder / "suspects").iterdir()] == ["0001_a.png"]


def test_accepted_suspects_change_copies_only(folder, data, tmp_path):
    target, expected = with_errors()
    reviewed = folder / "suspects.labelme"
    assert reviewed_split(reviewed) == "val"
    found = accept_labels(data, reviewed, tmp_path / "new")
    assert (found.masks, found.changed) == (2, {"a": 152})
    assert (read_mask(found.folder / "a.png") == np.where(expected == 2, 2, target)).all()
    assert (read_mask(found.folder / "b.png") == target).all()
    assert (data[0].labels == target).all()
    declared = read_text(tmp_path / "new" / "classes.txt")
    assert declared.classes == CLASSES
    assert dict(declared.mapping) == {0: 0, 1: 1, 2: 2, VOID: VOID}  # 255 is no class


def test_deleted_shapes_are_rejected_and_other_classes_are_named(folder, tmp_path):
    target, _ = with_errors()
    path = folder / "suspects.labelme" / "a.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"shapes": []}))
    assert (corrected(target, path, CLASSES) == target).all()
    shape = content["shapes"][0] | {"label": "tram"}
    path.write_text(json.dumps(content | {"shapes": [shape]}))
    with pytest.raises(DataError, match="tram"):
        corrected(target, path, CLASSES)
    with pytest.raises(DataError, match=r"expected the folder suspects\.labelme"):
        reviewed_split(tmp_path)


def test_a_shape_outside_of_its_photo_is_no_correction(tmp_path):
    points = [[60, 2], [70, 2], [70, 9], [60, 9]]
    shape = {"label": "car", "points": points, "shape_type": "polygon"}
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [shape]}))
    with pytest.raises(DataError, match=r"a\.json: shape 0.*outside of its photo, at rows 2 to 9"):
        corrected(np.zeros((30, 40), np.uint8), tmp_path / "a.json", ("road", "car"))


def test_a_model_is_not_asked_about_its_own_training_images_without_a_warning():
    assert trained_on("val") == "" and "did not learn" in trained_on("train")
