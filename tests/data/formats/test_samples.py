"""The data sets that come with fullconv: complete, small, free to use, in the wheel."""

import zipfile
from pathlib import Path

import pytest

import fullconv
from fullconv.data.formats import formats, inventory, open_data
from fullconv.data.formats.samples import FOLDER
from fullconv.errors import DataError, NoSplitError

PACKAGE = Path(fullconv.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())


def test_the_nuclei_are_18_and_6_photos_of_two_classes():
    train, val = (open_data("samples:nuclei", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (18, 6) and not set(train.names) & set(val.names)
    assert train.classes == ("background", "nucleus") and train.source == "samples:nuclei"
    assert sorted(open_data("samples:nuclei").names) == sorted((*train.names, *val.names))
    assert not inventory("samples:nuclei").problems


def test_every_kind_of_photo_is_in_both_splits():
    kinds = [
        {sample.image.shape[:2] for sample in open_data("samples:nuclei", split)}
        for split in ("train", "val")
    ]
    assert kinds[0] == kinds[1] == {(256, 256), (256, 320), (360, 360), (520, 696)}


def test_a_folder_of_the_same_name_is_not_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nuclei" / "splits").mkdir(parents=True)
    (tmp_path / "nuclei" / "splits" / "train.txt").write_text("x\n")
    assert len(open_data("samples:nuclei?group-by=(.)", "train")) > 1
    assert not formats["samples"].recognises(tmp_path / "nuclei")


def test_what_does_not_exist_is_refused():
    with pytest.raises(DataError, match="expected samples:nuclei"):
        open_data("samples:cells")
    with pytest.raises(DataError, match="does not come with fullconv"):
        open_data("samples:nuclei/../nuclei", "train")
    with pytest.raises(NoSplitError):
        open_data("samples:nuclei", "test")


def test_source_and_licence_are_beside_the_photos():
    text = (FOLDER / "nuclei" / "README.md").read_text(encoding="utf-8")
    assert "2018 Data Science Bowl" in text and "lopuhin" in text and "CC0 1.0" in text


def test_the_wheel_has_them_in_less_than_2_megabytes(tmp_path):
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(PACKAGE.parents[1]))
    (path,) = wheel.build(directory=str(tmp_path), versions=["standard"])
    packed = {
        info.filename: info
        for info in zipfile.ZipFile(path).infolist()
        if info.filename.startswith("fullconv/data/samples/")
    }
    assert set(packed) == {f"fullconv/{file.relative_to(PACKAGE).as_posix()}" for file in FILES}
    assert len(packed) == 2 * 24 + 4 and sum(f.compress_size for f in packed.values()) < 2_000_000
