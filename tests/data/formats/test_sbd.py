import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import SBDataset

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError

LABELS = np.array([[0, 15, 20], [1, 7, 7]], np.uint8)


def write_mat(path, labels):
    """A file as the authors' MATLAB wrote it: GTcls.Segmentation."""
    content = {"Segmentation": labels, "Boundaries": np.zeros((1, 1))}
    savemat(path, {"GTcls": content})


@pytest.fixture
def benchmark(tmp_path):
    folder = tmp_path / "benchmark_RELEASE" / "dataset"
    for name in ("img", "cls", "inst"):
        (folder / name).mkdir(parents=True)
    for split, stems in (("train", "ab"), ("val", "c")):
        (folder / f"{split}.txt").write_text("".join(f"2008_{stem}\n" for stem in stems))
        for stem in stems:
            Image.new("RGB", (3, 2)).save(folder / "img" / f"2008_{stem}.jpg")
            write_mat(folder / "cls" / f"2008_{stem}.mat", LABELS)
    return folder


@pytest.mark.parametrize("parent", ["../..", "..", "."])
def test_every_way_to_name_the_folder(benchmark, parent):
    folder = (benchmark / parent).resolve()
    assert recognise(folder) == "sbd"
    assert open_data(folder, "train").names == ("2008_a", "2008_b")
    assert len(open_data(folder)) == 3


def test_torchvision_reads_the_same(benchmark):
    theirs = SBDataset(str(benchmark), image_set="train", mode="segmentation")
    for sample, (photo, mask) in zip(open_data(benchmark, "train"), theirs, strict=True):
        assert np.array_equal(sample.image, np.asarray(photo))
        assert np.array_equal(sample.labels, np.asarray(mask))


def test_converted_masks(benchmark):
    for path in [*(benchmark / "cls").iterdir()]:
        path.unlink()
        Image.fromarray(LABELS).save(path.with_suffix(".png"))
    assert np.array_equal(open_data(benchmark, "val")[0].labels, LABELS)


def test_a_value_above_20_is_an_error(benchmark):
    write_mat(benchmark / "cls" / "2008_c.mat", LABELS + np.uint8(1))
    with pytest.raises(LabelError, match=r"2008_c\.mat: the value 21"):
        open_data(benchmark, "val")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MATLAB 5.0 MAT-file" + b" " * 200, "damaged or not a MATLAB file|no variable"),
        (b"", "damaged or not a MATLAB file|no variable"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b" " * 99, "version 7.3; expected 7"),
    ],
)
def test_broken_files_are_named(benchmark, content, message):
    (benchmark / "cls" / "2008_c.mat").write_bytes(content)
    with pytest.raises(DataError, match=rf"2008_c\.mat: .*({message})"):
        open_data(benchmark, "val")[0]


def test_other_variables_are_named(benchmark):
    savemat(benchmark / "cls" / "2008_c.mat", {"GTinst": np.zeros((2, 2))})
    with pytest.raises(DataError, match=r"no variable GTcls\.Segmentation"):
        open_data(benchmark, "val")[0]
    write_mat(benchmark / "cls" / "2008_c.mat", LABELS + 0.5)
    with pytest.raises(DataError, match=r"expected whole numbers"):
        open_data(benchmark, "val")[0]


def test_a_name_without_its_mask(benchmark):
    (benchmark / "cls" / "2008_b.mat").unlink()
    with pytest.raises(DataError, match=r"train\.txt: '2008_b' has no mask"):
        open_data(benchmark, "train")
