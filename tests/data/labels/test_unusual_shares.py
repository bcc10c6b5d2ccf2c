"""Images that hold far more of a class than the others."""

import numpy as np
import pytest

from fullconv.data.labels.unusual_shares import unusual_shares

CRACKS = [10 + i % 5 for i in range(14)]


def found(cracks, total=1000):
    counts = np.array([[total - crack, crack] for crack in cracks])
    return list(unusual_shares(counts))


def test_shares_and_parts_are_those_of_the_pixels():
    (only,) = found([*CRACKS, 350])
    assert (only.index, only.label, only.share) == (14, 1, 0.35)
    assert only.part == pytest.approx(350 / (sum(CRACKS) + 350))
    assert only.usual == np.median(CRACKS) / 1000


@pytest.mark.parametrize(
    "cracks",
    [
        [*CRACKS, 50],  # within five times the usual
        [*CRACKS[:8], 350],  # too few images
        [20, 300] * 8,  # two kinds of photos
        [0] * 14 + [350],  # in one image only
        [10] * 2000 + [90],  # hardly any of the class's pixels
        [],
    ],
)
def test_nothing_is_unusual_where_the_others_show_it_is_not(cracks):
    counts = np.array([[1000 - crack, crack] for crack in cracks], np.int64).reshape(-1, 2)
    assert not list(unusual_shares(counts))
