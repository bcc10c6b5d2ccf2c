"""A run resumes only with the data that it was started on."""

import shutil
import time

import numpy as np
import pytest
from scipy.io import savemat

import fullconv as fc
from fullconv.config import RunConfig
from fullconv.data.labels.masks import create_data
from fullconv.data.labels.tables import identity_table
from fullconv.errors import DataError
from fullconv.io.images import write_image, write_labels
from fullconv.training.experiment import Experiment
from fullconv.training.fingerprint import DataFingerprint, check_unchanged, fingerprint
from fullconv.training.run.folder import Run
from siftflow_folder import SCENES, write_lists, write_siftflow

PALETTE = ((0, 0, 0), (128, 0, 0))
SETTINGS = {"model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 8, "batch": 2, "crop": (32, 40)}


def write_set(folder, count=8):
    draw = np.random.default_rng(0)
    for number in range(count):
        write_image(
            folder / "images" / f"p{number}.png", draw.integers(0, 256, (32, 40, 3), "uint8")
        )
        labels = draw.integers(0, 2, (32, 40), "uint8")
        labels[:4] = 255
        write_labels(folder / "masks" / f"p{number}.png", labels, PALETTE)
    (folder / "classes.txt").write_text("\n".join(["0 road", "1 sky", "255 void"]))
    (folder / "train.txt").write_text("\n".join(f"p{number}" for number in range(count - 2)))
    (folder / "val.txt").write_text("\n".join(f"p{number}" for number in (count - 2, count - 1)))
    return folder


def identity(folder):
    return fingerprint(fc.open_data(folder, "train"), fc.open_data(folder, "val"))


def swap_classes(folder):
    (folder / "classes.txt").write_text("0 sky\n1 road\n255 void\n")


def add_class(folder):
    (folder / "classes.txt").write_text("0 road\n1 sky\n2 tree\n255 void\n")


def remove_photo(folder):
    (folder / "images" / "p3.png").unlink()
    (folder / "masks" / "p3.png").unlink()
    (folder / "train.txt").write_text("p0\np1\np2\np4\np5\n")


def add_photo(folder):
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / "p0.png", folder / kind / "extra.png")
    with (folder / "train.txt").open("a") as file:
        file.write("\nextra\n")


def move_photo(folder):
    (folder / "train.txt").write_text("p0\np1\np2\np3\np4\n")
    (folder / "val.txt").write_text("p5\np6\np7\n")


def repaint_mask(folder):
    labels = np.zeros((32, 40), np.uint8)
    write_labels(folder / "masks" / "p2.png", labels, PALETTE)


def exchange_photo(folder):
    shutil.copy(folder / "images" / "p0.png", folder / "images" / "p2.png")


def reorder(folder):
    (folder / "train.txt").write_text("p5\np1\np2\np3\np4\np0\n")


CHANGES = [
    (swap_classes, "the classes were road, sky, and are sky, road"),
    (add_class, "the classes were road, sky, and are road, sky, tree"),
    (remove_photo, r"1 photo was removed \(p3\)"),
    (add_photo, r"1 photo was added \(extra\)"),
    (move_photo, r"1 photo changed its split \(p5\)"),
    (repaint_mask, r"1 mask changed \(p2\)"),
    (exchange_photo, r"1 photo changed \(p2\)"),
    (reorder, "the order of the photos changed"),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A run that was stopped after two steps, and its data set."""
    folder = tmp_path_factory.mktemp("started")
    experiment = Experiment(RunConfig(data=str(write_set(folder / "photos")), epochs=2, **SETTINGS))
    experiment.attach(Run(folder / "run"))
    events = experiment.events()
    next(events), next(events)
    events.close()
    experiment.save()
    return folder


def resume(folder):
    config = RunConfig(**(Run(folder / "run").read_config() | {"data": str(folder / "photos")}))
    experiment = Experiment(config)
    experiment.attach(Run(folder / "run"))
    return experiment


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_resumed_run_refuses_other_data_and_says_what_differs(change, message, started, tmp_path):
    copy = shutil.copytree(started, tmp_path / "copy")
    change(copy / "photos")
    before = (copy / "run" / "last.safetensors").read_bytes()
    with pytest.raises(DataError, match=message) as error:
        resume(copy)
    assert "start a new run without --resume" in str(error.value)
    assert (copy / "run" / "last.safetensors").read_bytes() == before
    assert not [*copy.rglob(".*")]


def test_a_copy_of_the_data_elsewhere_is_the_same_data(started, tmp_path):
    copy = shutil.copytree(started, tmp_path / "copy")
    assert resume(copy).trainer.done == 2
    assert [*identity(started / "photos").differences(identity(copy / "photos"))] == []


def test_without_its_record_a_change_is_noticed_all_the_same(started, tmp_path):
    copy = shutil.copytree(started, tmp_path / "copy")
    record = copy / "run" / "data.json"
    whole = record.read_bytes()
    for content in (None, b"{", b"[]", b"\xff", b'{"classes": 3}', whole.replace(b"p1", b"p9")):
        record.unlink(missing_ok=True)
        if content is not None:
            record.write_bytes(content)
        assert resume(copy).trainer.done == 2  # the checkpoint knows
        assert record.read_bytes() == whole
    record.write_bytes(b"{")
    repaint_mask(copy / "photos")
    with pytest.raises(DataError, match=r"what exactly is unknown, since .*data.json"):
        resume(copy)


def test_before_the_first_checkpoint_the_record_decides(started, tmp_path):
    copy = shutil.copytree(started, tmp_path / "copy")
    (copy / "run" / "last.safetensors").unlink()
    repaint_mask(copy / "photos")
    with pytest.raises(DataError, match="1 mask changed"):
        resume(copy)


def test_the_ignored_values_are_part_of_it():
    classes = ("road", "sky")
    found = [
        fingerprint(data, data)
        for void in ((255,), (255,), (255, 7))
        for data in [create_data("d", None, (), classes, PALETTE, identity_table(classes, void))]
    ]
    assert found[0] == found[1]
    assert [*found[0].differences(found[2])] == [
        "the rule from mask values to classes and ignored pixels changed"
    ]


def test_stages_compare_with_the_data_of_the_whole_run(started, tmp_path):
    copy = shutil.copytree(started, tmp_path / "copy")
    repaint_mask(copy / "photos")
    whole = Run(copy / "run")
    experiment = Experiment(RunConfig(data=str(copy / "photos"), epochs=2, **SETTINGS))
    with pytest.raises(DataError, match="1 mask changed"):
        experiment.attach(Run(whole.folder / "stage-2-fcn16s-vgg11_bn"), whole)


def test_masks_and_classes_of_all_heads_are_part_of_it(tmp_path):
    folder = write_lists(write_siftflow(tmp_path / "flow"))

    def found(heads):
        data = fc.open_data(f"siftflow:{folder}?head={heads}", "train")
        return fingerprint(data, data)

    both, one = found("semantic,geometric"), found("semantic")
    assert both.classes[-1] == "geometric: vertical" and one.classes[-1] == "window"
    mask = folder / "GeoLabels" / SCENES / "a1.mat"
    savemat(mask, {"S": np.full((24, 32), 3, np.int16)})
    assert found("semantic") == one
    assert "1 mask changed" in next(iter(both.differences(found("semantic,geometric"))))


def test_the_digest_of_one_head_has_no_separator(tmp_path):
    data = fc.open_data(write_set(tmp_path / "photos"), "train")
    found = fingerprint(data, data)
    assert found.classes == ("road", "sky")
    assert all(len(mask) == 16 for _, mask in found.splits["train"].values())


def test_the_record_can_be_read_again(tmp_path):
    names = {"p0": ("a", "b"), 'q"\n\udcff道': ("", "")}
    found = DataFingerprint(("a", "b"), "1", "2", {"train": names, "val": {}})
    check_unchanged(tmp_path / "data.json", found, None, "photos")
    assert DataFingerprint.read(tmp_path / "data.json") == found


@pytest.mark.parametrize("source", ["scenes:10@24x32", "scenes:20@24x32?group-by=(.)$"])
def test_drawn_scenes_have_names_only(source):
    train, val = fc.open_data(source, "train"), fc.open_data(source, "val")
    found = fingerprint(train, val)
    assert [*found.splits["train"]] == list(train.names) and found == fingerprint(train, val)
    assert fingerprint(train, train).splits.keys() == {"train"}


def test_many_photos_take_a_second_at_most(tmp_path):
    folder = write_set(tmp_path / "photos", count=8)
    for kind in ("images", "masks"):
        for number in range(8, 508):
            (folder / kind / f"p{number}.png").hardlink_to(folder / kind / f"p{number % 8}.png")
    with (folder / "train.txt").open("a") as file:
        file.write("\n".join(["", *(f"p{number}" for number in range(8, 508))]))
    data = fc.open_data(folder, "train")
    began = time.process_time()
    assert len(fingerprint(data, data).splits["train"]) == 506
    assert time.process_time() - began < 1
