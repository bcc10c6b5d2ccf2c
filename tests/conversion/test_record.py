"""Recorded calls hold for images of any size, or are refused."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.conversion.record import record_calls
from fullconv.conversion.sides import MapSide
from fullconv.networks.tracing.ops import UnsupportedOpError


class Layer(nn.Module):
    """A network of one function."""

    def __init__(self, compute):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1, 1))
        self.compute = compute

    def forward(self, x):
        return self.compute(x * self.weight)


def test_sides_that_differ_between_images_are_free():
    recorded = record_calls(Layer(lambda x: F.pad(x, (0, -x.shape[3] % 32))))
    assert [made.call.name for made in recorded.calls] == ["mul", "pad"]
    assert recorded.fixed[MapSide(1, 1)] == 3
    assert not {MapSide(1, dim) for dim in (0, 2, 3)} & recorded.fixed.keys()
    assert recorded.names[id(recorded.calls[0].call.args[1])] == "weight"


def test_for_one_size_all_sides_are_known():
    fixed = record_calls(Layer(torch.relu), (5, 7)).fixed
    assert [fixed[MapSide(1, dim)] for dim in range(4)] == [1, 3, 5, 7]


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: F.pad(x, (0, math.ceil(x.shape[3] / 2))),
        lambda x: x[..., : int(x.shape[3]) - 1],
        lambda x: torch.relu(x) if x.shape[2] > 100 else x + 1,
        lambda x: torch.relu(x) if x.shape[2] > 100 else x,
    ],
)
def test_what_depends_on_the_size_in_another_way_is_refused(compute):
    with pytest.raises(UnsupportedOpError, match="other sizes"):
        record_calls(Layer(compute))
