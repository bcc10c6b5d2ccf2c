"""The tables of bilinear interpolation equal the notes' table and PyTorch's operator."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fullconv.explain.bilinear import (
    bilinear_kernel_matrix,
    bilinear_table,
    draw_tables,
    interpolation_axis,
)
from fullconv.explain.matrices import as_matrix, parse_matrix

side = st.integers(1, 6)
NOTES = parse_matrix("1 2; 3 4", "input")


def test_the_table_of_the_course_in_exact_fractions():
    table = bilinear_table(NOTES, (4, 4), align_corners=True)
    thirds = [[1 + Fraction(2 * row + column, 3) for column in range(4)] for row in range(4)]
    assert table.values == as_matrix(thirds)
    assert table.columns.step == Fraction(1, 3)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(side, side, side, side, st.booleans())
def test_every_table_equals_pytorchs(h, w, height, width, align_corners):
    x = as_matrix([[i * 7 % 5 - j * j for j in range(w)] for i in range(h)])
    found = bilinear_table(x, (height, width), align_corners).values
    image = torch.tensor([[[[float(v) for v in row] for row in x]]], dtype=torch.float64)
    expected = F.interpolate(image, (height, width), mode="bilinear", align_corners=align_corners)
    values = torch.tensor([[float(v) for v in row] for row in found], dtype=torch.float64)
    torch.testing.assert_close(values, expected[0, 0])


@given(side, st.integers(1, 20), st.booleans())
def test_the_weights_of_a_pixel_sum_to_one(length, size, align_corners):
    axis = interpolation_axis(length, size, align_corners)
    assert all(sum(row) == 1 and min(row) >= 0 for row in axis.weights)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_kernel_as_a_transposed_convolution_equals_interpolation_inside(factor):
    kernel = bilinear_kernel_matrix(factor)
    weight = torch.tensor([[[[float(v) for v in row] for row in kernel]]], dtype=torch.float64)
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    margin = (len(kernel) - factor) // 2
    found = F.conv_transpose2d(x, weight, stride=factor)[..., margin:-margin, margin:-margin]
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = slice(factor, -factor)
    torch.testing.assert_close(found[..., inner, inner], expected[..., inner, inner])


def test_the_picture_has_every_number():
    tables = [bilinear_table(NOTES, (4, 4), rule) for rule in (True, False)]
    picture = draw_tables(tables, bilinear_kernel_matrix(2), 2)
    assert all(f">{value}<" in picture for value in ("11/3", "15/4", "9/16"))
