"""Indexed masks that a program saved again: the declared colours decide, or it is an error."""

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.errors import DataError, LabelError
from fullconv.evaluation.evaluate import summarize
from fullconv.evaluation.scored_samples import score_prediction_files
from fullconv.io.palettes import VOID, VOID_COLOR, voc_palette

COLORS = ((128, 64, 128), (128, 128, 0), (0, 0, 255))
NAMES = ("road", "tree", "sky")
DECLARED = "".join(f"{n} #{bytes(c).hex()}\n" for n, c in zip(NAMES, COLORS, strict=True))
LABELS = np.array([[0, 1, 2, 2], [2, 1, 1, 0], [2, 2, 2, 2]], np.uint8)


def indexed(labels, palette):
    """Return an indexed image."""
    picture = Image.fromarray(np.asarray(labels, np.uint8))
    picture.putpalette([value for color in palette for value in color])
    return picture


def renumbered(labels, colors=COLORS, seed=0):
    """Return the image in its colours, with numbers that a graphics program chose."""
    order = np.random.default_rng(seed).permutation(len(colors))
    while (order == np.arange(len(colors))).all():
        order = order[::-1]
    numbers = np.argsort(order).astype(np.uint8)
    return indexed(numbers[labels], [colors[index] for index in order])


def folder_of(place, masks, declared=DECLARED):
    for number, mask in enumerate(masks):
        for name in ("images", "masks"):
            (place / name).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (*mask.size[::-1], 3), np.uint8)
        Image.fromarray(noise).save(place / "images" / f"{number}.png")
        mask.save(place / "masks" / f"{number}.png")
    (place / "classes.txt").write_text(declared)
    return place


def labels_of(folder):
    return [sample.labels for sample in open_data(folder)]


def rgb(labels):
    return Image.fromarray(np.array(COLORS, np.uint8)[labels])


FORMS = {
    "renumbered": renumbered,
    "renumbered otherwise": lambda labels: renumbered(labels, seed=3),
    "few colours": lambda labels: indexed(labels, COLORS).quantize(3),
    "RGB": rgb,
    "opaque RGBA": lambda labels: rgb(labels).convert("RGBA"),
    "palette and alpha": lambda labels: renumbered(labels).convert("PA"),
    "as declared": lambda labels: indexed(labels, COLORS),
    "grey": Image.fromarray,
    "grey and alpha": lambda labels: Image.fromarray(labels).convert("LA"),
    "grey palette": lambda labels: indexed(labels, [(i, i, i) for i in range(256)]),
    "stretched grey palette": lambda labels: indexed(labels, [(0,) * 3, (90,) * 3, (200,) * 3]),
    "VOC's palette": lambda labels: indexed(labels, voc_palette()),
    "declared and more": lambda labels: indexed(labels, (*COLORS, (9, 9, 9), (1, 2, 3))),
}


@pytest.mark.parametrize("form", FORMS)
def test_masks_of_every_form_hold_the_labels_that_they_show(tmp_path, form):
    suffix = "tif" if form == "palette and alpha" else "png"
    folder = folder_of(tmp_path, [FORMS[form](LABELS)] if suffix == "png" else [rgb(LABELS)])
    if suffix == "tif":
        (folder / "masks" / "0.png").unlink()
        picture = FORMS[form](LABELS)
        assert picture.mode == "PA"
        picture.convert("RGBA").save(folder / "masks" / "0.tif")
    assert np.array_equal(labels_of(folder)[0], LABELS)
    survey = examine(str(folder), workers=1).survey
    assert survey.pixels().tolist() == np.bincount(LABELS.ravel()).tolist()
    assert np.array_equal(survey.read_labels(survey.items[0]), LABELS)


WRONG = {
    "another palette": indexed(LABELS, [(1, 2, 3), (4, 5, 6), (7, 8, 9)]),
    "one other colour": indexed(LABELS, [COLORS[0], COLORS[1], (0, 0, 254)]),
    "renumbered with another colour": indexed(LABELS, [COLORS[1], COLORS[0], (0, 0, 254)]),
    "greys in another order": indexed(LABELS, [(9,) * 3, (3,) * 3, (6,) * 3]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_palette_that_contradicts_the_declared_colours_is_an_error(tmp_path, what):
    folder = folder_of(tmp_path, [indexed(LABELS, COLORS), WRONG[what]])
    with pytest.raises(
        LabelError, match=r"1\.png: its palette shows the value .*remove them there"
    ):
        labels_of(folder)
    (finding,) = (f for f in examine(str(folder), workers=1).findings if f.severity == "error")
    assert (finding.code, finding.file) == ("palette", "masks/1.png")


def test_palettes_without_declared_colours_say_nothing(tmp_path):
    plain = "".join(f"{name}\n" for name in NAMES)
    masks = [indexed(LABELS, COLORS), indexed(LABELS, COLORS[::-1])]
    folder = folder_of(tmp_path, masks, plain)
    assert all(np.array_equal(found, LABELS) for found in labels_of(folder))


def test_only_some_classes_may_have_a_colour(tmp_path):
    declared = "0 road #804080\n1 tree\n2 sky #0000ff\n"
    fine = indexed(LABELS, [COLORS[0], (5, 6, 7), COLORS[2]])
    assert np.array_equal(labels_of(folder_of(tmp_path / "a", [fine], declared))[0], LABELS)
    wrong = indexed(LABELS, [COLORS[2], (5, 6, 7), COLORS[0]])
    with pytest.raises(LabelError, match="the value 1 as #050607"):
        labels_of(folder_of(tmp_path / "b", [wrong], declared))


def test_ignored_pixels_keep_the_colour_in_which_they_are_written(tmp_path):
    labels = LABELS.copy()
    labels[0, :2] = VOID
    declared = DECLARED.replace("road", "0 road").replace("tree", "1 tree").replace("sky", "2 sky")
    table = np.array([*COLORS, *[(0, 0, 0)] * 252, VOID_COLOR], np.uint8)
    picture = Image.fromarray(table[labels])
    masks = [picture, picture.quantize(4), indexed(labels, table.tolist())]
    folder = folder_of(tmp_path, masks, declared + "255 void\n")
    assert all(np.array_equal(found, labels) for found in labels_of(folder))


def test_transparent_pixels_of_a_mask_are_refused(tmp_path):
    picture = rgb(LABELS).convert("RGBA")
    alpha = np.full(LABELS.shape, 255, np.uint8)
    alpha[0, :2] = 0
    picture.putalpha(Image.fromarray(alpha))
    folder = folder_of(tmp_path, [picture])
    with pytest.raises(DataError, match=r"0\.png: 2 transparent pixels .*without transparency"):
        labels_of(folder)
    codes = [finding.code for finding in examine(str(folder), workers=1).findings]
    assert "transparent-mask" in codes


def transparent(picture, *entries):
    """Return an indexed mask, or one with a transparent colour, whose file says so."""
    picture.info["transparency"] = entries[0] if len(entries) == 1 else entries
    return picture


def alpha(count, *clear):
    return bytes(0 if number in clear else 200 for number in range(count))


@pytest.mark.parametrize("clear", [0, alpha(3, 0), alpha(3, 0, 2), alpha(3)])
def test_numbers_count_where_the_palette_is_transparent(tmp_path, clear):
    masks = [transparent(indexed(LABELS, colors), clear) for colors in (COLORS, [(9, 9, 9)] * 3)]
    declared = folder_of(tmp_path / "declared", masks[:1])
    plain = folder_of(tmp_path / "plain", masks, "".join(f"{name}\n" for name in NAMES))
    grey = Image.fromarray(LABELS.astype(np.uint8))
    grey.info["transparency"] = 1
    greys = folder_of(tmp_path / "grey", [grey])
    for folder in (declared, plain, greys):
        assert all(np.array_equal(found, LABELS) for found in labels_of(folder))
        assert not examine(str(folder), workers=1).of("error")


@pytest.mark.parametrize("clear", [1, alpha(3, 1)])
def test_colours_count_only_where_they_are_visible(tmp_path, clear):
    renumbered = transparent(indexed((LABELS + 1) % 3, [COLORS[2], *COLORS[:2]]), clear)
    folder = folder_of(tmp_path, [renumbered])
    with pytest.raises(LabelError, match=r"0\.png: the value 1 has no visible colour .*decide"):
        labels_of(folder)
    (finding,) = (f for f in examine(str(folder), workers=1).findings if f.severity == "error")
    assert finding.code == "palette" and "without transparency" in finding.remedy


def test_a_transparent_colour_of_an_rgb_mask_is_refused(tmp_path):
    folder = folder_of(tmp_path, [transparent(rgb(LABELS), *COLORS[1])])
    number = int((LABELS == 1).sum())
    with pytest.raises(DataError, match=rf"0\.png: {number} transparent pixels in a mask"):
        labels_of(folder)


def test_grey_values_of_declared_greys_are_colours(tmp_path):
    declared = "crack #ffffff\nwall #000000\n"
    labels = LABELS % 2
    grey = Image.fromarray(np.array([255, 0], np.uint8)[labels])
    for number, mask in enumerate([grey, grey.convert("RGB"), grey.convert("P")]):
        folder = folder_of(tmp_path / str(number), [mask, mask], declared)
        assert np.array_equal(labels_of(folder)[0], labels)
        survey = examine(str(folder), workers=1).survey
        assert survey.pixels().tolist() == np.bincount(2 * [*labels.ravel()]).tolist()


def voc(place, masks, labelmap=None):
    for number, mask in enumerate(masks):
        for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (place / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.size).save(place / "JPEGImages" / f"{number}.jpg")
        mask.save(place / "SegmentationClass" / f"{number}.png")
    names = "".join(f"{number}\n" for number in range(len(masks)))
    (place / "ImageSets" / "Segmentation" / "train.txt").write_text(names)
    if labelmap:
        (place / "labelmap.txt").write_text(labelmap)
    return place


def test_labelmaps_of_cvat_decide(tmp_path):
    parts = zip(NAMES, COLORS, strict=True)
    labelmap = "# label:color_rgb:parts:actions\n" + "".join(
        f"{name}:{','.join(map(str, color))}::\n" for name, color in parts
    )
    masks = [renumbered(LABELS), indexed(LABELS, COLORS), rgb(LABELS), renumbered(LABELS, seed=3)]
    folder = voc(tmp_path / "a", masks, labelmap)
    assert all(np.array_equal(found, LABELS) for found in labels_of(folder))
    with pytest.raises(LabelError, match="its palette shows the value"):
        labels_of(voc(tmp_path / "b", [WRONG["another palette"]], labelmap))


def test_vocs_own_colours_decide(tmp_path):
    colors = voc_palette()
    own = indexed(LABELS, colors)
    anew = renumbered(LABELS, colors[:3])
    assert all(np.array_equal(found, LABELS) for found in labels_of(voc(tmp_path, [own, anew])))


def test_the_original_camvid_may_be_indexed(tmp_path):
    colors = [(64, 0, 128), (128, 128, 128), (128, 0, 0)]  # car, sky, building
    expected = np.array([8, 0, 1], np.uint8)[LABELS]
    for place in ("701_StillsRaw_full", "LabeledApproved_full"):
        (tmp_path / place).mkdir()
    for number, mask in enumerate([indexed(LABELS, colors), renumbered(LABELS, colors)]):
        Image.new("RGB", mask.size).save(tmp_path / "701_StillsRaw_full" / f"000{number}TP_1.png")
        mask.save(tmp_path / "LabeledApproved_full" / f"000{number}TP_1_L.png")
    data = open_data(f"camvid:{tmp_path}")
    assert all(np.array_equal(sample.labels, expected) for sample in data)


def score(data, folder):
    return summarize(score_prediction_files(folder, data), data, "")


@pytest.mark.parametrize("form", [form for form in FORMS if form != "palette and alpha"])
def test_predictions_are_read_like_masks(tmp_path, form):
    folder = folder_of(tmp_path / "truth", [indexed(LABELS, COLORS)])
    folder_of(tmp_path / "found", [FORMS[form](LABELS)])
    assert score(open_data(folder), tmp_path / "found" / "masks").mean_iou == 1


@pytest.mark.parametrize("what", WRONG)
def test_predictions_in_other_colours_are_refused(tmp_path, what):
    folder = folder_of(tmp_path / "truth", [indexed(LABELS, COLORS)])
    folder_of(tmp_path / "found", [WRONG[what]])
    with pytest.raises(DataError, match=r"0\.png: its palette shows"):
        score(open_data(folder), tmp_path / "found" / "masks")


def test_predictions_in_the_classes_colours_but_renumbered_are_refused(tmp_path):
    data = fc.open_data("scenes:15@20x24", "val")
    for sample in data:
        renumbered(sample.labels, data.palette).save(tmp_path / f"{sample.name}.png")
    with pytest.raises(DataError, match="in another order than its values"):
        score(data, tmp_path)
    for sample in data:
        indexed(sample.labels, voc_palette()[50:70]).save(tmp_path / f"{sample.name}.png")
    assert score(data, tmp_path).mean_iou == 1
