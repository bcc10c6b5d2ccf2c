from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.inference.blended_tiles import Spans
from fullconv.io.window import Window


@given(st.integers(1, 5000), st.integers(5, 40), st.integers(1, 9))
def test_the_weights_of_spans_add_up_to_one(size, longest, overlap):
    align = 4
    spans = Spans.covering(size, longest * align, min(overlap, longest // 2 - 1) * align, align)
    total = np.zeros(size)
    final = 0
    for start in spans.starts:
        assert (start % align == 0 and spans.end(start) - start <= longest * align) or not start
        weights = spans.weights(start)
        assert weights.min() > 0 and weights.max() <= 1
        total[start : spans.end(start)] += weights
        assert spans.final_until(start) > final
        final = spans.final_until(start)
    assert final == size
    assert np.allclose(total, 1)


def test_a_small_side_has_one_span():
    spans = Spans.covering(100, 128, 32, 32)
    assert list(spans.starts) == [0] and spans.end(0) == spans.final_until(0) == 100
    assert (spans.weights(0) == 1).all()


def test_adjacent_spans_share_the_overlap():
    spans = Spans.covering(1000, 256, 64, 32)
    starts = list(spans.starts)
    assert all(spans.end(a) - b == 64 for a, b in pairwise(starts))
    assert len(starts) == 5  # (1000 - 64) / (256 - 64), rounded up


@pytest.mark.parametrize("top,left,height,width", [(0, 0, 3, 4), (5, 7, 1, 1)])
def test_a_window_as_slices(top, left, height, width):
    window = Window(top, left, height, width)
    assert np.zeros((20, 20))[window.slices].shape == (height, width)
    assert (window.bottom, window.right) == (top + height, left + width)
