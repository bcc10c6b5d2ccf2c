"""Winograd's 3 x 3 convolution equals the direct one."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from fullconv.inference.cpu.winograd import Winograd, toom_cook_matrices


def case(channels=5, outputs=7, size=(9, 14), batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=dtype)  # noqa: E731
    return draw(batch, channels, *size), draw(outputs, channels, 3, 3), draw(outputs)


@pytest.mark.parametrize("size", [(3, 3), (4, 3), (6, 6), (7, 13), (9, 14), (22, 10)])
@pytest.mark.parametrize("relu", [False, True])
def test_winograd_equals_the_convolution(size, relu):
    x, weight, bias = case(size=size)
    expected = F.conv2d(x, weight, bias)
    expected = expected.relu() if relu else expected
    found = Winograd(weight, bias, relu)(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    found = Winograd(weight, bias, relu)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bytes_at_once", [1, 40_000, 10**9])
def test_strips_of_any_height_give_the_same_result(monkeypatch, bytes_at_once):
    monkeypatch.setattr("fullconv.inference.cpu.winograd.STRIP", bytes_at_once)
    x, weight, bias = case(size=(31, 17))
    found = Winograd(weight, bias, True)(x)
    torch.testing.assert_close(found, F.conv2d(x, weight, bias).relu(), rtol=1e-12, atol=1e-12)


def test_the_error_in_single_precision_is_bounded():
    x, weight, bias = case(256, 64, (22, 22))
    exact = F.conv2d(x, weight, bias)
    found = Winograd(weight.float(), bias.float(), False)(x.float())
    assert (found - exact).abs().max() < 1e-5 * exact.abs().max()


def test_the_matrices_multiply_polynomials_in_one_dimension():
    outputs, kernel, inputs = toom_cook_matrices()
    x, taps = [Fraction(i * i - 3) for i in range(6)], [Fraction(2), Fraction(-1), Fraction(5)]
    pairs = zip(_times(kernel, taps), _times(inputs, x), strict=True)
    expected = [sum(x[i + j] * taps[j] for j in range(3)) for i in range(4)]
    assert _times(outputs, [a * b for a, b in pairs]) == expected


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]
