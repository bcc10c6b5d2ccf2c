"""Read ranges, compared with the gradient: an op reads the inputs that have a derivative."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from fullconv.inference.streaming.ranges import (
    EdgePad,
    Shift,
    TransposedWindow,
    UnpoolWindow,
    clip,
    hull,
    overhang,
)
from fullconv.networks.geometry import SlidingWindow


def seen(function, size, wanted):
    """Return the span of inputs that influence the wanted outputs."""
    x = torch.ones(1, 1, size, requires_grad=True)
    function(x)[0, 0, wanted[0] : wanted[1]].sum().backward()
    touched = x.grad[0, 0].nonzero().flatten()
    return (int(touched[0]), int(touched[-1]) + 1) if len(touched) else None


def ranges(size):
    return [(a, b) for a in range(size) for b in range(a + 1, size + 1)]


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("before", [0, 1, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_window_reads_what_has_a_gradient(kernel, stride, before, dilation):
    def convolve(x):
        return F.conv1d(x, torch.ones(1, 1, kernel), None, stride, before, dilation)

    size = 13
    reach = SlidingWindow(kernel, stride, before, dilation)
    assert reach.scale == stride
    for wanted in ranges(convolve(torch.ones(1, 1, size)).shape[2]):
        first, end = clip(reach.reads(wanted), size)
        found = seen(convolve, size, wanted)
        if found:
            assert first <= found[0] and found[1] <= end
            gaps = dilation > 1 or stride > kernel  # the end may be cut off between two pixels
            assert gaps or (first, end) == found
            assert max(found[0] - first, end - found[1]) < max(stride, dilation * kernel)


@pytest.mark.parametrize("kernel,stride", [(4, 2), (3, 2), (16, 8), (2, 3), (1, 1)])
@pytest.mark.parametrize("before", [0, 1])
def test_a_transposed_window_reads_what_has_a_gradient(kernel, stride, before):
    def spread(x):
        return F.conv_transpose1d(
            x, torch.ones(1, 1, kernel), None, stride, min(before, kernel - 1)
        )

    size = 6
    reach = TransposedWindow(SlidingWindow(kernel, stride, min(before, kernel - 1)))
    assert reach.scale == Fraction(1, stride)
    for wanted in ranges(min(30, spread(torch.ones(1, 1, size)).shape[2])):
        found = seen(spread, size, wanted)
        first, end = clip(reach.reads(wanted), size)
        if found:
            assert first <= found[0] and found[1] <= end
            assert stride > kernel or (first, end) == found


@pytest.mark.parametrize("before,after", [(0, 0), (2, 3), (-2, 1), (3, -1)])
def test_padding_and_crops_shift_positions(before, after):
    reach = Shift(-before)
    for wanted in ranges(7 + before + after):
        found = seen(lambda x: F.pad(x, (before, after)), 7, wanted)
        read = clip(reach.reads(wanted), 7)
        assert read == found if found else read[0] == read[1]


def test_edge_padding_reads_the_edge():
    for wanted in ranges(7 + 5):
        found = seen(lambda x: F.pad(x, (2, 3), mode="replicate"), 7, wanted)
        assert EdgePad(-2, 7).reads(wanted) == found


def test_unpooling_reads_whole_windows():
    assert UnpoolWindow(2).reads((3, 6)) == (1, 3)
    assert UnpoolWindow(2, reads_all=True).reads((3, 6)) == (2, 6)
    assert UnpoolWindow(3).scale == Fraction(1, 3) and UnpoolWindow(3, reads_all=True).scale == 1


def test_clip_and_overhang_partition_a_span():
    for wanted in [(-5, -2), (-2, 3), (0, 7), (4, 9), (8, 12), (-3, 20)]:
        before, after = overhang(wanted, 7)
        first, last = clip(wanted, 7)
        assert before + (last - first) + after == wanted[1] - wanted[0]
        assert before == sum(i < 0 for i in range(*wanted))
        assert after == sum(i >= 7 for i in range(*wanted))


def test_a_hull_contains_both_spans_and_ignores_empty_ones():
    assert hull((1, 3), (5, 6)) == (1, 6)
    assert hull((0, 0), (5, 6)) == hull((5, 6), (2, 2)) == (5, 6)
