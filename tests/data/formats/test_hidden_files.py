"""What systems and programs put into folders changes nothing, in any layout."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from fullconv.data.formats import inventory, recognise
from fullconv.errors import DataError
from fullconv.io.visible import mark_results
from fullconv.training.run.folder import create_run

JUNK = b"\x00\x05\x16\x07"  # how macOS's files of attributes begin
COLUMNS = "Pixel Value, Class\n0, background\n1, cat\n"
SHAPES = {"version": "5", "shapes": [], "imageHeight": 2, "imageWidth": 3, "imageData": None}
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": 2, "width": 3}],
    "annotations": [],
    "categories": [{"id": 1, "name": "cat"}],
}
CVAT = (
    "<annotations><meta><task><labels><label><name>cat</name></label></labels></task></meta>"
    '<image id="0" name="a.png" width="3" height="2"></image></annotations>'
)
LABEL_STUDIO = [
    {
        "id": 1,
        "annotations": [{"id": 1, "completed_by": 1, "result": [], "was_cancelled": False}],
        "data": {"image": "/data/upload/1/a.png"},
    }
]


def names(*places, stems="ab"):
    """Return one file per stem of each place, which has a star for it."""
    return {place.replace("*", stem): "" for place in places for stem in stems}


LAYOUTS = {
    "folders": names("images/*.jpg", "masks/*.png"),
    "folders of splits": names(
        *("images/train/*.jpg", "masks/train/*.png", "images/val/*.jpg", "masks/val/*.png")
    ),
    "splits of folders": names(
        *("train/images/*.jpg", "train/masks/*.png", "val/images/*.jpg", "val/masks/*.png")
    ),
    "folders beside folders": names("train/*.jpg", "train_labels/*.png"),
    "lists": names("images/*.jpg", "masks/*.png")
    | {"splits/train.txt": "a", "splits/val.txt": "b"},
    "dataset.yaml": names("images/train/*.jpg", "masks/train/*.png")
    | {"dataset.yaml": "train: images/train\nmasks_dir: masks\nnames: [a, b]\n"},
    "voc": names("JPEGImages/*.jpg", "SegmentationClass/*.png")
    | {f"ImageSets/Segmentation/{n}.txt": s for n, s in (("train", "a"), ("val", "b"))},
    "camvid": names("train/*.png", "trainannot/*.png", "val/*.png", "valannot/*.png"),
    "cityscapes": names(
        *("leftImg8bit/train/ulm/*_leftImg8bit.png", "gtFine/train/ulm/*_gtFine_labelIds.png"),
        *("leftImg8bit/val/ulm/*_leftImg8bit.png", "gtFine/val/ulm/*_gtFine_labelIds.png"),
    ),
    "ade20k": names(
        *("images/training/ADE_train_*.jpg", "annotations/training/ADE_train_*.png"),
        *("images/validation/ADE_val_*.jpg", "annotations/validation/ADE_val_*.png"),
    ),
    "ade20k, full release": names(
        *(
            f"images/ADE/{part}/x/ADE_*{end}"
            for part in ("training", "validation")
            for end in (".jpg", "_seg.png", ".json")
        )
    ),
    "siftflow": names("Images/s/*.jpg", "SemanticLabels/s/*.mat"),
    "nyud": names("data/images/img_*.png", "segmentation/img_*.mat") | {"train.txt": "a"},
    "sbd": names("img/*.jpg", "cls/*.mat") | {"train.txt": "a\n", "val.txt": "b\n"},
    "pascal_context": names("VOC2010/JPEGImages/*.jpg", "trainval/*.mat")
    | {
        "labels.txt": "".join(f"{n}: c{n}\n" for n in range(1, 60)),
        "59_labels.txt": "".join(f"{n}: c{n}\n" for n in range(1, 60)),
        "VOC2010/ImageSets/Main/train.txt": "a\n",
    },
    "coco": names("*.jpg") | {"annotations.json": json.dumps(COCO)},
    "coco of roboflow": names("train/*.jpg") | {"train/_annotations.coco.json": json.dumps(COCO)},
    "roboflow": names("train/*.jpg", "train/*_mask.png") | {"train/_classes.csv": COLUMNS},
    "labelme": names("*.jpg")
    | {f"{s}.json": json.dumps(SHAPES | {"imagePath": f"{s}.jpg"}) for s in "ab"},
    "yolo": names("images/train/*.jpg", "labels/train/*.txt")
    | {"data.yaml": "train: images/train\nval: images/train\nnames: [a, b]\n"},
    "yolo without splits": names("images/*.jpg", "labels/*.txt") | {"classes.txt": "a\nb\n"},
    "cvat": names("images/*.png", stems="a") | {"annotations.xml": CVAT},
    "labelstudio": names("images/*.png", stems="a") | {"export.json": json.dumps(LABEL_STUDIO)},
}


def build(layout, folder):
    for name, text in LAYOUTS[layout].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".mat":
            savemat(path, {"S": np.zeros((2, 3), np.uint8)})
        else:
            path.write_text(text)
    return folder


def litter(folder):
    """Put hidden files, thumbnails and rests of archives beside every file of a data set."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        inside = path.relative_to(folder)
        for hidden in (
            path.with_name(f"._{path.name}"),
            path.with_name(f".~{path.name}"),
            path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint{path.suffix}",
            path.parent / "@eaDir" / path.name / "SYNOPHOTO_THUMB_M.jpg",
            path.parent / "@eaDir" / f"new{path.suffix}",
            folder / ".Trash-0" / "files" / inside,
            folder / "__MACOSX" / inside.with_name(f"._{path.name}"),
            folder / "__MACOSX" / inside.with_name(f"new{path.suffix}"),
        ):
            hidden.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(JUNK)
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".directory", ".train.txt"):
            (path.parent / name).write_bytes(JUNK)


def found(folder):
    listed = inventory(folder)
    samples = {split: sorted(pairs, key=str) for split, pairs in listed.splits.items()}
    problems = sorted(str(problem.error) for problem in listed.problems)
    return recognise(folder), samples, sorted(listed.everything(), key=str), problems


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hidden_files_change_nothing(layout, tmp_path):
    folder = build(layout, tmp_path / "set")
    before = found(folder)
    assert before[2], "the layout has samples"
    litter(folder)
    assert found(folder) == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_runs_in_the_folder_of_the_data_set_change_nothing(layout, tmp_path):
    folder = build(layout, tmp_path / "set")
    before = found(folder)
    for verb in ("check", "train", "predict"):
        run = create_run(folder / "runs", verb, "set").folder
        for name in ("check.json", "a.jpg", "a.png", "c.jpg", "masks/c.png", "splits/train.txt"):
            (run / name).parent.mkdir(exist_ok=True)
            (run / name).write_text("{}")
    assert found(folder) == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hidden_files_alone_are_no_samples(layout, tmp_path):
    folder = build(layout, tmp_path / "set")
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.rename(path.with_name(f"._{path.name}"))
    try:
        listed = inventory(folder)
    except DataError:
        return
    assert not listed.everything()


def test_a_folder_of_masks_that_is_marked_as_results_is_named(tmp_path):
    folder = build("folders", tmp_path / "set")
    mark_results(folder / "masks")
    with pytest.raises(DataError, match=r"masks/ is left out, since it holds \.fullconv") as caught:
        inventory(folder)
    assert "remove masks/.fullconv" in str(caught.value)


def test_a_data_set_in_a_hidden_folder_is_read(tmp_path):
    folder = build("voc", tmp_path / ".cache" / "set")
    assert [pair.name for pair in inventory(folder).everything()] == ["a", "b"]
    assert Path(inventory(folder).everything()[0].photo).is_relative_to(folder)
