import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from fullconv.data.formats import open_data, recognise
from fullconv.errors import DataError, LabelError, NoSplitError

SCENES = "spatial_envelope_256x256_static_8outdoorcategories"
RAW = np.array([[0, 1, 33], [2, 2, 0]])


@pytest.fixture
def flow(tmp_path):
    for stem in ("coast_a", "street_b", "tall_c"):
        for folder in ("Images", "SemanticLabels"):
            (tmp_path / folder / SCENES).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "Images" / SCENES / f"{stem}.jpg")
        savemat(tmp_path / "SemanticLabels" / SCENES / f"{stem}.mat", {"S": RAW, "names": ["x"]})
    return tmp_path


def test_0_is_void_as_the_authors_wrap_it(flow):
    assert recognise(flow) == "siftflow"
    data = open_data(flow)
    assert len(data) == 3
    assert np.array_equal(data[0].labels, RAW.astype(np.uint8) - np.uint8(1))  # their data layer


def test_lists_of_the_authors_and_of_the_original(flow):
    (flow / "test.txt").write_text("tall_c\n")
    assert open_data(flow, "test").names == ("tall_c",)
    (flow / "test.txt").rename(flow / "TestSet1.txt").write_text(f"{SCENES}\\street_b.jpg\n")
    assert open_data(flow, "test").names == ("street_b",)
    assert open_data(flow, "trainval").names == ("coast_a", "tall_c")
    # There is no list of train, so that trainval is divided.
    parts = [open_data(flow, split).names for split in ("train", "val")]
    assert sorted(parts[0] + parts[1]) == ["coast_a", "tall_c"] and all(parts)
    with pytest.raises(NoSplitError, match=r"there are: .*\(trainval is divided, since"):
        open_data(flow, "dev2")


def test_a_value_above_33_is_an_error(flow):
    savemat(flow / "SemanticLabels" / SCENES / "coast_a.mat", {"S": RAW + 1})
    with pytest.raises(LabelError, match=r"coast_a\.mat: the value 34"):
        open_data(flow)[0]


def test_classes_and_lists_of_the_authors(flow, shared):
    lists = shared("formats") / "voc_lists_fcn" / "sift-flow"
    lines = (lists / "classes.txt").read_text().split("\n\nGeometric")[0].splitlines()
    names = [line.split()[1] for line in lines if line[:2].isdigit()]
    assert list(open_data(flow).classes) == names
    (flow / "test.txt").write_text((lists / "test.txt").read_text())
    with pytest.raises(DataError, match=r"'coast_natu975' is the name of no sample \(and 199 more"):
        open_data(flow, "test")
