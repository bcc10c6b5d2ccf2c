"""All views of a transposed convolution give PyTorch's numbers, exactly."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fullconv.errors import ConfigError
from fullconv.explain.matrices import as_matrix, multiply, parse_matrix, transpose
from fullconv.explain.transposed import draw_views, transposed_views

X, KERNEL = parse_matrix("1 2; 3 4", "x"), parse_matrix("1 2 3; 4 5 6; 7 8 9", "k")


def tensor(matrix):
    return torch.tensor([[[[float(v) for v in row] for row in matrix]]], dtype=torch.float64)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(*[st.integers(1, 4)] * 4, st.integers(1, 3))
def test_every_view_equals_pytorchs(h, w, high, wide, stride):
    x = as_matrix([[3 * i - j * j for j in range(w)] for i in range(h)])
    kernel = as_matrix([[i + 5 * j % 3 for j in range(wide)] for i in range(high)])
    views = transposed_views(x, kernel, stride)
    assert views.agree and len(views.outputs) == 3
    expected = F.conv_transpose2d(tensor(x), tensor(kernel), stride=stride)
    assert torch.equal(tensor(views.output), expected)


def test_fractions_stay_exact():
    views = transposed_views(parse_matrix("1/3 1/7", "x"), parse_matrix("1/2 0.1", "k"), 1)
    assert [str(value) for value in views.output[0]] == ["1/6", "11/105", "1/70"]


def test_what_each_view_shows_adds_up_to_the_output():
    views = transposed_views(X, KERNEL, 2)
    sums = [[sum(stamp[i][j] for stamp in views.stamps) for j in range(5)] for i in range(5)]
    assert as_matrix(sums) == views.output
    flat = as_matrix([[value] for row in X for value in row])
    product = multiply(transpose(views.matrix), flat)
    assert [row[0] for row in product] == [value for row in views.output for value in row]
    assert views.overlaps[2] == (2, 2, 4, 2, 2)


def test_a_kernel_that_is_no_multiple_of_the_stride_is_uneven():
    assert not transposed_views(X, KERNEL, 2).even
    assert transposed_views(X, KERNEL, 3).even


def test_the_picture_has_the_sums():
    assert ">55<" in draw_views(transposed_views(X, KERNEL, 2))
    large = transposed_views(as_matrix([[1] * 7] * 7), as_matrix([[1] * 16] * 16), 8)
    assert draw_views(large).startswith("<svg")


def test_an_output_that_is_too_large_is_refused():
    with pytest.raises(ConfigError, match="at most 64 x 64"):
        transposed_views(as_matrix([[1] * 16]), KERNEL, 16)
