import numpy as np
import pytest
from PIL import Image

from fullconv.data.formats import open_data
from fullconv.data.labels.masks import size_remedy
from fullconv.errors import DataError


@pytest.mark.parametrize(
    ("mask", "photo", "word"),
    [
        ((240, 360), (480, 720), "nearest"),
        ((240, 361), (480, 720), "nearest"),  # rounded
        ((479, 720), (480, 720), "nearest"),
        ((720, 480), (480, 720), "90 degrees"),
        ((480, 480), (480, 720), "aspect ratios"),
        ((5, 5), (5, 10), "aspect ratios"),
        ((700, 480), (480, 720), "aspect ratios"),
    ],
)
def test_the_remedy_depends_on_the_aspect_ratios(mask, photo, word):
    assert word in size_remedy(mask, photo)


def test_a_mask_of_another_size_is_refused_with_its_remedy(tmp_path):
    for folder, size in (("images", (8, 12, 3)), ("masks", (8, 8))):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / folder / "a.png")
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    with pytest.raises(
        DataError, match=r"8 x 8 .*has 8 x 12; expected one size: export both again"
    ):
        open_data(tmp_path)[0]
