import csv

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Cityscapes

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError
from fullconv.io.palettes import VOID


@pytest.fixture
def cities(tmp_path):
    ids = np.arange(34, dtype=np.uint8).reshape(2, 17)
    for split, city, frame in (
        ("train", "ulm", "0"),
        ("train", "bonn", "1"),
        ("val", "lindau", "2"),
    ):
        stem = f"{city}_00000{frame}_000019"
        photo = tmp_path / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
        mask = tmp_path / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
        for path, pixels in ((photo, np.zeros((2, 17, 3), np.uint8)), (mask, ids)):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path


def test_ids_become_the_train_ids_of_the_authors_table(cities, shared):
    table = shared("formats") / "cityscapes_table" / "labels.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    expected = {int(row["id"]): int(row["trainId"]) for row in rows}
    data = open_data(cities, "val")
    assert data[0].labels.ravel().tolist() == [expected[number] for number in range(34)]
    trained = {int(r["trainId"]): r for r in rows if int(r["trainId"]) not in (-1, VOID)}
    assert data.classes == tuple(trained[label]["name"] for label in range(19))
    colors = [tuple(int(trained[label][key]) for key in "rgb") for label in range(19)]
    assert list(data.palette) == colors


def test_splits_are_folders(cities):
    assert recognise(cities) == "cityscapes"
    assert open_data(cities, "train").names == ("bonn_000001_000019", "ulm_000000_000019")
    assert len(open_data(cities)) == 3
    with pytest.raises(NoSplitError, match="no split 'test'; there are: train, val"):
        open_data(cities, "test")


def test_macos_files_beside_photos_and_masks_are_no_samples(cities):
    before = open_data(cities).names
    for path in [*cities.rglob("*.png")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7Mac OS X")
    assert open_data(cities).names == before


def test_torchvision_finds_the_same_files(cities):
    theirs = Cityscapes(str(cities), split="train", mode="fine", target_type="semantic")
    ours = open_data(cities, "train")
    assert sorted(theirs.images) == sorted(str(pair.photo) for pair in ours.read.pairs)


def test_the_licence_plate_is_void_and_other_values_are_errors(cities):
    mask = next((cities / "gtFine" / "val").rglob("*.png"))
    Image.fromarray(np.full((2, 17), 255, np.uint8)).save(mask)
    assert (open_data(cities, "val")[0].labels == VOID).all()
    Image.fromarray(np.full((2, 17), 34, np.uint8)).save(mask)
    with pytest.raises(LabelError, match=r"labelIds\.png: the value 34 \(34 pixels\)"):
        open_data(cities, "val")[0]


def test_a_photo_without_a_mask_is_named(cities):
    next((cities / "gtFine" / "val").rglob("*.png")).unlink()
    assert len(open_data(cities, "train")) == 2
    with pytest.raises(
        DataError,
        match=r"lindau_000002_000019_leftImg8bit\.png: a photo without a mask; .*labelIds\.png",
    ):
        open_data(cities, "val")


def test_both_encodings_of_a_sample(shared, tmp_path):
    folder = shared("formats") / "cityscapes_mmseg"
    data = open_data(folder, "val")
    assert recognise(folder) == "cityscapes"
    stem = "frankfurt_000000_000294"
    assert data.names == (stem,)
    published = folder / f"gtFine/val/frankfurt/{stem}_gtFine_labelTrainIds.png"
    train_ids = np.asarray(Image.open(published))
    # The sample's makers shrank the two masks apart, so that 77 pixels along edges differ.
    assert (data[0].labels == train_ids).mean() > 0.997
    photo = folder / f"leftImg8bit/val/frankfurt/{stem}_leftImg8bit.png"
    for path in (photo, published):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert np.array_equal(open_data(tmp_path, "val")[0].labels, train_ids)
