"""How single functions change the image region that a pixel depends on."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.networks.tracing.trace import trace


class Calls(nn.Module):
    """A network that calls one function of the image and a weight."""

    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 3, 3, 5))
        self.function = function

    def forward(self, image):
        return self.function(image, self.weight)


def traced(function, height=20, width=24):
    record = trace(Calls(function), height, width)
    return record, record.extent(record.root.output)


def test_a_convolution_depends_on_its_window():
    _, extent = traced(lambda x, weight: F.conv2d(x, weight, None, 2, (1, 2)))
    assert (extent.rows.stride, extent.rows.first, extent.rows.last) == (2, -1, 1)
    assert (extent.columns.stride, extent.columns.first, extent.columns.last) == (2, -2, 2)


def test_padding_shifts_positions():
    _, extent = traced(lambda x, weight: F.pad(x, (4, 0, 7, 0)))
    assert (extent.columns.first, extent.rows.first) == (-4, -7)
    assert extent.rows.stride == Fraction(1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, weight: x.relu() + 1,
        lambda x, weight: torch.cat([x, x], 1),
        lambda x, weight: torch.max(x, -x),
        lambda x, weight: x.flip(1),
        lambda x, weight: x.softmax(1),
    ],
)
def test_functions_that_keep_positions(function):
    _, extent = traced(function)
    assert (extent.rows.first, extent.rows.last, extent.problem) == (0, 0, "")


@pytest.mark.parametrize(
    "function", [lambda x, weight: x.mean((2, 3)), lambda x, weight: F.adaptive_avg_pool2d(x, 1)]
)
def test_a_mean_over_all_positions_has_none(function):
    assert traced(function)[1].rows is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x, weight: F.group_norm(x, 3),
        lambda x, weight: F.layer_norm(x, x.shape[1:]),
        lambda x, weight: x * F.adaptive_avg_pool2d(x, 1),
    ],
)
def test_statistics_of_the_whole_map_leave_the_field_unbounded(function):
    record, extent = traced(function)
    assert extent.rows is not None and not extent.bounded and record.global_modules


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda x, weight: torch.roll(x, 3, 2), "it calls roll, whose effect on positions"),
        (lambda x, weight: x.flip(2), "it flips rows or columns"),
        (lambda x, weight: x[..., ::2], "it picks pixels by their index"),
        (lambda x, weight: F.interpolate(x, scale_factor=2), "it enlarges feature maps"),
    ],
)
def test_an_unknown_effect_is_a_problem_that_names_the_function(function, problem):
    assert traced(function)[1].problem.startswith(problem)


def test_attention_is_recorded():
    record, extent = traced(lambda x, weight: x @ x.transpose(2, 3))
    assert record.attention and not extent.bounded
