"""The kinds, windows and dimensions of calls of PyTorch's functions."""

import pytest
import torch
import torch.nn.functional as F

from fullconv.networks.geometry import SlidingWindow
from fullconv.networks.tracing.ops import OP_KINDS, OpCall, OpKind, UnsupportedOpError, tensors_in
from fullconv.networks.tracing.rules import RULES


def call(function, *args, **kwargs):
    return OpCall(function.__name__, function, args, kwargs)


def test_every_kind_has_functions_and_a_rule():
    assert set(OP_KINDS.values()) == set(OpKind) == set(RULES)


def test_the_windows_of_a_convolution():
    weight = torch.zeros(4, 3, 5, 3)
    found = call(F.conv2d, torch.zeros(1, 3, 9, 9), weight, None, 2, (1, 0), dilation=(1, 2))
    assert found.windows() == (SlidingWindow(5, 2, 1, 1), SlidingWindow(3, 2, 0, 2))
    same = call(F.conv2d, torch.zeros(1, 3, 9, 9), weight, padding="same")
    assert [window.padding for window in same.windows()] == [2, 1]


def test_the_windows_of_a_pooling():
    x = torch.zeros(1, 3, 9, 9)
    found = OpCall("max_pool2d", F.max_pool2d, (x, 3), {"ceil_mode": True})
    assert found.windows() == (SlidingWindow(3, 3, ceil=True),) * 2
    found = OpCall("avg_pool2d", F.avg_pool2d, (x, (2, 4), 2, 1), {})
    assert found.windows() == (SlidingWindow(2, 2, 1), SlidingWindow(4, 2, 1))


def test_a_setting_that_is_not_a_whole_number_is_refused():
    with pytest.raises(UnsupportedOpError, match=r"calls avg_pool2d with kernel_size=2\.5"):
        OpCall("avg_pool2d", F.avg_pool2d, (torch.zeros(1, 3, 9, 9), 2.5), {}).windows()


def test_the_maximum_of_two_tensors_is_pointwise_and_that_over_a_dimension_is_not():
    x = torch.zeros(1, 3, 9, 9)
    assert call(torch.max, x, x).kind is OpKind.POINTWISE
    assert call(torch.max, x, 1).kind is OpKind.REDUCTION
    assert call(torch.roll, x, 1).kind is None


@pytest.mark.parametrize(
    ("name", "args", "dims"),
    [
        ("layer_norm", ((5, 6),), (2, 3)),
        ("linear", (torch.zeros(2, 6),), (3,)),
        ("batch_norm", (), (1,)),
        ("normalize", (), (1,)),
        ("mean", ((-1, 1),), (3, 1)),
        ("norm", (2, 1), (1,)),
        ("sum", (), (0, 1, 2, 3)),
    ],
)
def test_the_dimensions_that_a_function_mixes(name, args, dims):
    assert OpCall(name, torch.sum, (torch.zeros(1, 4, 5, 6), *args), {}).mixed_dims(4) == dims


def test_tensors_are_found_in_nested_arguments():
    one, two = torch.zeros(1), torch.zeros(2)
    assert [t.numel() for t in tensors_in(({"a": [one, 3]}, two, "text"))] == [1, 2]
