"""What one function of PyTorch's does to where pixels lie."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.networks.tracing.ops import tensors_in
from fullconv.networks.tracing.trace import trace


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 3, 3, 5))
        self.function = function

    def forward(self, image):
        return self.function(image, self.weight)


def sight(function, height=20, width=24):
    found = trace(Called(function), height, width)
    return found, found.sight(found.top.result)


def test_a_convolution_sees_its_window():
    _, seen = sight(lambda x, weight: F.conv2d(x, weight, None, 2, (1, 2)))
    assert (seen.rows.stride, seen.rows.first, seen.rows.last) == (2, -1, 1)
    assert (seen.columns.stride, seen.columns.first, seen.columns.last) == (2, -2, 2)


def test_a_padding_moves_the_places():
    _, seen = sight(lambda x, weight: F.pad(x, (4, 0, 7, 0)))
    assert (seen.columns.first, seen.rows.first) == (-4, -7) and seen.rows.stride == Fraction(1)


@pytest.mark.parametrize(
    "function", [lambda x, weight: x.relu() + 1, lambda x, weight: torch.cat([x, x], 1)]
)
def test_what_leaves_pixels_where_they_are(function):
    _, seen = sight(function)
    assert (seen.rows.first, seen.rows.last, seen.problem) == (0, 0, "") and seen.bounded


@pytest.mark.parametrize(
    "function", [lambda x, weight: x.mean((2, 3)), lambda x, weight: F.adaptive_avg_pool2d(x, 1)]
)
def test_a_mean_over_all_places_gives_them_up(function):
    assert sight(function)[1].rows is None


def test_what_is_not_known_says_so():
    _, seen = sight(lambda x, weight: torch.roll(x, 3, 2))
    assert seen.problem == "where roll moves pixels to is not known"


def test_attention_is_noted():
    found, seen = sight(lambda x, weight: x @ x.transpose(2, 3))
    assert found.attention and not seen.bounded


def test_tensors_are_found_however_deep_they_lie():
    one, two = torch.zeros(1), torch.zeros(2)
    assert [t.numel() for t in tensors_in(({"a": [one, 3]}, two, "text"))] == [1, 2]
