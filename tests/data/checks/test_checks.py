import io
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from faulty_datasets import (
    CASES,
    LAYOUTS,
    SEEDS,
    SIZE,
    build,
    code_of,
    draw_photo,
    interpolated_within,
    load,
    rewrite,
    swapped,
)
from fullconv.data.checks import checks, examine
from fullconv.data.formats import open_data
from fullconv.data.sample import Pair
from fullconv.data.survey.edges import fringe
from fullconv.data.survey.encoding import encodings
from fullconv.data.survey.scan import scan_sample
from fullconv.data.survey.thumbnails import thumbnails
from fullconv.errors import DataError


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return {layout: build(layout, tmp_path_factory.mktemp(layout)) for layout in LAYOUTS}


@pytest.fixture
def fresh(clean, tmp_path):
    def copy(layout):
        shutil.copytree(clean[layout].folder, tmp_path / "set", symlinks=True)
        return replace(clean[layout], folder=tmp_path / "set")

    return copy


def fingerprint(folder):
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_clean_set_has_no_finding(clean, layout):
    found = examine(str(clean[layout].folder), workers=1)
    assert found.survey.layout == layout
    assert found.findings == ()
    assert len(found.survey.items) == 20


def test_drawn_scenes_have_no_finding():
    assert examine("scenes:24").findings == ()


@pytest.mark.parametrize(("layout", "fault"), CASES)
def test_a_seeded_fault_is_found(fresh, layout, fault):
    made = fresh(layout)
    SEEDS[fault][0](made)
    before = fingerprint(made.folder)
    found = examine(str(made.folder), workers=1)
    codes = Counter(finding.code for finding in found.findings)
    assert codes[code_of(layout, fault)], found.findings
    assert fingerprint(made.folder) == before
    for finding in found.findings:
        assert finding.file and finding.found and finding.expected and finding.remedy


class Shifted:
    """A data set whose samples are counted from `by`, to seed each fault into another sample."""

    def __init__(self, made, by):
        self.layout, self.folder, self.raws, self.void = (
            made.layout,
            made.folder,
            made.raws,
            made.void,
        )
        self.photo = lambda split, index: made.photo(split, index + by)
        self.mask = lambda split, index: made.mask(split, index + by)


# Faults of the listing first: each of them could hide all that follow.
TOGETHER = ("mask missing", "one stem twice", "looping link", "photo missing", "truncated photo")
TOGETHER += ("value too large", "all background", "tiny photo", "zero bytes", "16-bit photo")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_problems_are_reported_in_one_pass(fresh, layout):
    made = fresh(layout)
    seeded = [fault for fault in TOGETHER if (layout, fault) in CASES]
    for number, fault in enumerate(seeded):
        SEEDS[fault][0](Shifted(made, number))
    found = examine(str(made.folder), workers=1)
    assert {code_of(layout, fault) for fault in seeded} <= {one.code for one in found.findings}
    assert len(seeded) >= 8
    assert len(found.survey.items) >= 20 - 4  # except those without a partner


def test_processes_give_equal_labels(clean, monkeypatch):
    monkeypatch.setattr("fullconv.data.survey.parallel.MIN_PAIRS", 4)
    source = str(clean["yolo"].folder)
    alone, together = (examine(source, workers=workers).survey for workers in (1, 2))
    assert (alone.pixels() == together.pixels()).all() and alone.pixels().sum() == 20 * 48 * 64
    assert [one.photo.digest for one in alone.items] == [one.photo.digest for one in together.items]


def test_drawn_labels_are_counted_exactly(clean):
    made = clean["yolo"]
    drawn = sum(np.bincount(load(made.mask(*one)).ravel(), minlength=4) for one in made.every())
    assert examine(str(made.folder), workers=1).survey.pixels().tolist() == drawn.tolist()


def test_a_faulty_label_file_does_not_hide_others(fresh):
    made = fresh("yolo")
    made.mask("train", 3).write_text("0 0.1 0.1 0.5\n")
    SEEDS["truncated photo"][0](made)
    found = {f.code: f for f in examine(str(made.folder), workers=1).findings}
    assert found.keys() == {"labels-refused", "damaged"}
    assert found["labels-refused"].file == "labels/train/fotö_003.txt"
    assert found["damaged"].file == "images/train/fotö_002.jpg"


def test_findings_name_the_photo_if_one_file_annotates_all(fresh):
    made = fresh("yolo")
    pair = Pair("a", made.photo("train", 0), made.folder / "all.json")

    def refuse(pair):
        raise DataError("a ring of 2 points", expected="3 or more", remedy="draw it anew")

    for shared, named in ((True, pair.photo), (False, pair.mask)):
        photo, mask = scan_sample(pair, refuse, True, shared)
        assert photo.fault is None and mask.path == named
        assert (mask.fault.found, mask.fault.expected) == ("a ring of 2 points", "3 or more")
        assert mask.fault.remedy == "draw it anew"


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("value-outside", {"all-void"}),
        ("masks/train/fotö_002.png", {"value-outside"}),
        ("masks/train/*", set()),
        ("value-outside:masks/train/*", {"all-void"}),
        ("value-outside:masks/val/*", {"value-outside", "all-void"}),
        ("nonsense", {"value-outside", "all-void"}),
    ],
)
def test_ignored_findings_are_removed_and_counted(fresh, pattern, left):
    made = fresh("folders")
    SEEDS["all void"][0](made)
    rewrite(made.mask("train", 3), swapped(1, 77))
    diagnosis = examine(str(made.folder), workers=1)
    assert {finding.code for finding in diagnosis.findings} == {"value-outside", "all-void"}
    rest = diagnosis.ignore([pattern])
    assert {finding.code for finding in rest.findings} == left
    assert len(rest.ignored) == 2 - len(left)
    assert ("ignored" in rest.verdict) is (len(left) < 2)


def test_an_unknown_value_is_reported_with_its_pixels(fresh):
    made = fresh("folders")
    raw = np.array(Image.open(made.mask("val", 0)))
    raw[5, 5:12] = 7
    Image.fromarray(raw).save(made.mask("val", 0))
    (finding,) = examine(str(made.folder), workers=1).findings
    assert finding.file == str(made.mask("val", 0).relative_to(made.folder))
    assert "the value 7 (7 pixels)" in finding.found
    assert "0 to 3" in finding.expected


def test_interpolation_is_detected_at_edges(fresh):
    made = fresh("folders")
    interpolated_within(made)
    codes = [finding.code for finding in examine(str(made.folder), workers=1).findings]
    assert codes == ["interpolated-mask"]


def test_exact_masks_have_no_fringe():
    labels = np.random.default_rng(0).integers(0, 12, (12, 16)).repeat(8, 0).repeat(8, 1)
    assert fringe(labels) == 0.0
    large = Image.fromarray(labels.astype(np.float32))
    soft = np.array(large.resize((512, 384), Image.Resampling.BILINEAR)).round().astype(np.uint8)
    assert fringe(soft) > 0.6


def test_numbered_photos_of_different_scenes_are_not_a_clip(fresh):
    made = fresh("folders")  # the stems are numbered, the photos unrelated
    assert "neighbouring-frames" not in {f.code for f in examine(str(made.folder)).findings}


def test_encodings_are_counted(clean):
    kinds = {layout: encodings(examine(str(made.folder)).survey) for layout, made in clean.items()}
    assert kinds["voc"] == {"palette indices": 20}
    assert kinds["folders"] == {"grey indices": 20}


def test_ids_from_1_are_found_without_declared_classes(fresh):
    made = fresh("folders")
    SEEDS["ids from 1"][0](made)
    (made.folder / "classes.txt").unlink()
    codes = [finding.code for finding in examine(str(made.folder), workers=1).findings]
    assert codes == ["ids-from-1"]


def test_binary_masks_of_two_classes_are_a_note(fresh):
    made = fresh("folders")
    (made.folder / "classes.txt").write_text("other\nroad\n")
    made.masks(lambda raw: np.where(raw == 1, 255, 0).astype(np.uint8))
    found = examine(str(made.folder), workers=1)
    assert [(f.code, f.severity) for f in found.findings] == [("binary-mask", "note")]
    assert encodings(found.survey) == {"binary 0-255": 20}


def test_dummy_masks_of_a_test_split_are_one_note(fresh):
    made = fresh("cityscapes")
    for index in range(30, 33):
        photo, mask = made.photo("test", index), made.mask("test", index)
        for path in (photo, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        draw_photo(500 + index).save(photo)
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(mask)
    (finding,) = examine(str(made.folder), workers=1).findings
    assert (finding.code, finding.severity, finding.file) == ("all-void", "note", "test")
    shutil.rmtree(made.folder / "gtFine" / "test")
    assert examine(str(made.folder), workers=1).findings == ()


COLORS = np.array([[0, 0, 0], [255, 255, 255], [0, 255, 255], [90, 9, 0]], np.uint8)


def test_black_and_white_are_colours_if_colours_are_declared(fresh):
    made = fresh("folders")
    lines = [f"{name} #{bytes(color).hex()}" for name, color in zip("abcd", COLORS, strict=True)]
    (made.folder / "classes.txt").write_text("\n".join(lines))
    for number, (split, index) in enumerate(made.every()):
        raw = load(made.mask(split, index)) % 4
        raw = raw % 2 if number < 8 else raw  # black and white only
        Image.fromarray(COLORS[raw]).save(made.mask(split, index))
    found = examine(str(made.folder), workers=1)
    assert found.findings == ()
    assert encodings(found.survey) == {"RGB-coded": 20}
    drawn = sum(
        np.bincount(sample.labels.ravel(), minlength=4) for sample in open_data(made.folder)
    )
    assert found.survey.pixels().tolist() == drawn.tolist()


def test_grey_numbers_stored_as_colours_are_numbers(fresh):
    made = fresh("folders")
    for split, index in made.every():
        Image.open(made.mask(split, index)).convert("RGB").save(made.mask(split, index))
    found = examine(str(made.folder), workers=1)
    assert found.findings == ()
    assert encodings(found.survey) == {"grey indices": 20}


def test_the_remedy_depends_on_how_many_masks_are_coloured(fresh):
    made = fresh("folders")
    SEEDS["RGB mask"][0](made)
    assert "like the other masks" in remedy_of(made, "rgb-mask")
    for split, index in made.every():
        if (split, index) != ("train", 2):
            raw = load(made.mask(split, index))
            Image.fromarray(COLORS[raw % 4]).save(made.mask(split, index))
    assert '"NAME #000000"' in remedy_of(made, "rgb-mask")


@pytest.mark.parametrize(
    ("text", "found"),
    [("a\na\nb\n", "two classes have the name 'a'"), ("", "0 classes"), ("0 a\nb", "'b' does not")],
)
def test_an_invalid_class_list_does_not_hide_other_problems(fresh, text, found):
    made = fresh("folders")
    (made.folder / "classes.txt").write_text(text)
    SEEDS["truncated photo"][0](made)
    findings = {one.code: one for one in examine(str(made.folder), workers=1).findings}
    assert findings.keys() == {"classes-unknown", "damaged"}
    assert found in findings["classes-unknown"].found
    assert findings["classes-unknown"].found.startswith("classes.txt: ")


def test_a_class_named_void_is_a_note(fresh):
    made = fresh("folders")
    (made.folder / "classes.txt").write_text("void\nroad\ntree\ncar\n")
    (finding,) = examine(str(made.folder), workers=1).findings
    assert (finding.code, finding.severity, finding.file) == ("void-class", "note", "void")
    (made.folder / "classes.txt").write_text("0 __ignore__\n1 road\n2 tree\n3 car\n")
    assert examine(str(made.folder), workers=1).findings == ()


def test_near_duplicates_are_shown_side_by_side(fresh):
    made = fresh("folders")
    SEEDS["nearly the same photo in train and val"][0](made)
    found = examine(str(made.folder), workers=1)
    ((caption, pictures),) = thumbnails(found.survey, found.findings)
    assert caption == "images/val/fotö_015.jpg and images/train/fotö_003.jpg"
    one, other = (np.array(Image.open(io.BytesIO(content)), float).mean(2) for content in pictures)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_label_ids_of_cityscapes_are_detected(fresh):
    made = fresh("folders")
    (made.folder / "classes.txt").write_text("".join(f"class {i}\n" for i in range(19)))
    ids = np.array([7, 8, 11, 26] + [0] * 252, np.uint8)
    made.masks(lambda raw: ids[raw])
    codes = [finding.code for finding in examine(str(made.folder), workers=1).findings]
    assert codes[0] == "label-ids"
    assert "value-outside" not in codes


def test_val_of_camvid_shares_a_clip_with_train(shared):
    (finding,) = examine(str(shared("camvid"))).findings
    assert finding.severity == "warning"
    assert "0016E5_07959" in finding.file and "0016E5_07920" in finding.other
    for part in ("clip '0016E5'", "frames 07959 to 08159", "neighbouring frames 07920 and 08190"):
        assert part in finding.found
    # 305 of 468 photos are of that clip, so val gets another one.
    assert f"split by clip: open {shared('camvid')}?group-by=clip" in finding.remedy
    divided = examine(f"{shared('camvid')}?group-by=clip")
    assert len(divided.survey.of("val")) < 0.4 * 468
    assert "neighbouring-frames" not in {one.code for one in divided.findings}


def test_checks_use_the_groups_of_the_source(fresh):
    made = fresh("folders")
    SEEDS["neighbouring frames"][0](made)
    for path in [*made.folder.rglob("clip_01[4-9].*")]:
        path.rename(path.with_name(path.name.replace("clip", "way")))
    found = examine(f"{made.folder}?group-by=clip", workers=1)
    assert "neighbouring-frames" not in {finding.code for finding in found.findings}
    assert all("way" in item.name for item in found.survey.of("val"))
    assert len(found.survey.of("val")) == 6


def test_a_test_split_alone_can_be_checked():
    assert {item.split for item in examine("scenes:20", "test").survey.items} == {"test"}


def test_splitting_by_clip_is_advised_if_it_leaves_enough_for_training(fresh):
    made = fresh("folders")
    SEEDS["neighbouring frames"][0](made)  # frames 0 to 19 of one clip
    assert "record another clip" in remedy_of(made, "neighbouring-frames")
    for path in [*made.folder.rglob("clip_01[4-9].*")]:
        path.rename(path.with_name(path.name.replace("clip", "way")))
    assert f"{made.folder}?group-by=clip" in remedy_of(made, "neighbouring-frames")


def remedy_of(made, code):
    found = examine(str(made.folder), workers=1).findings
    return next(finding.remedy for finding in found if finding.code == code)


def test_all_checks_are_registered():
    assert {*checks} == {
        *("classes", "clips", "duplicates", "files", "masks", "pairs", "shares", "values")
    }


def folder_with_shares(folder, shares):
    """Write masks of 100 x 10 pixels of which the given parts are class 1."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("road\ncrack\n")
    random = np.random.default_rng(0)
    for number, share in enumerate(shares):
        labels = np.zeros((10, 100), np.uint8)
        labels.flat[: round(1000 * share)] = 1
        photo = random.integers(0, 256, (10, 100, 3), np.uint8)
        Image.fromarray(photo).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(labels).save(folder / "masks" / f"{number:02}.png")
    return str(folder)


def unusual(source):
    return [f.file for f in examine(source, workers=1).findings if f.code == "unusual-share"]


def test_a_mask_with_a_filled_outline_is_named(tmp_path):
    cracks = [0.01 + 0.001 * (i % 5) for i in range(14)]
    assert unusual(folder_with_shares(tmp_path / "filled", [*cracks, 0.35])) == ["masks/14.png"]
    assert not unusual(folder_with_shares(tmp_path / "usual", [*cracks, 0.05]))
    assert not unusual(folder_with_shares(tmp_path / "few", [*cracks[:8], 0.35]))
    # Two kinds of photos: close and far, with as many of each.
    assert not unusual(folder_with_shares(tmp_path / "kinds", [0.02, 0.3] * 8))
    # Not in most of the images, so the others say little about it.
    assert not unusual(folder_with_shares(tmp_path / "absent", [0.0] * 14 + [0.35]))
