"""The explained operations equal PyTorch's operators and Paddle's reference cases."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import parity
from fullconv.errors import GeometryError
from fullconv.explain import operations

few = settings(deadline=None, max_examples=25, derandomize=True)
side = st.integers(1, 9)
VIEWS = (
    operations.transposed_by_scattering,
    operations.transposed_by_insertion,
    operations.transposed_by_matrix,
)


def op_case(shared, name):
    return parity.case(shared("parity"), f"op_{name}__paddle.npz")


def tensors(arrays, *names):
    return [torch.from_numpy(arrays[name]) for name in names]


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_bilinear_interpolation_of_the_courses_example():
    found = operations.bilinear(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), (4, 4), align_corners=True)
    first, step = torch.tensor([1, 4 / 3, 5 / 3, 2]), 2 / 3
    torch.testing.assert_close(found, torch.stack([first + step * row for row in range(4)]))


@few
@given(side, side, side, side, st.booleans())
def test_bilinear_interpolation_equals_pytorchs(h, w, height, width, align_corners):
    x = drawn(2, 3, h, w)
    expected = F.interpolate(x, (height, width), mode="bilinear", align_corners=align_corners)
    found = operations.bilinear(x, (height, width), align_corners)
    torch.testing.assert_close(found, expected)


def test_bilinear_reference_cases(shared):
    meta, arrays = op_case(shared, "bilinear")
    compared = 0
    for one in meta["cases"]:
        if not one["torch_rule"]:
            continue
        (x,) = tensors(arrays, f"in_{one['i']}")
        found = operations.bilinear(x, tuple(one["size"]), one["align_corners"])
        assert parity.worst(found, arrays[f"out_{one['i']}"]) <= parity.TOLERANCE
        compared += 1
    (x,) = tensors(arrays, "notes_input")
    found = operations.bilinear(x, (4, 4), align_corners=True)
    assert parity.worst(found, arrays["notes_output"]) <= parity.TOLERANCE
    assert compared == 13


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@few
@given(
    st.integers(1, 4), st.integers(1, 4), st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(1, 4),
)  # fmt: skip
def test_every_form_of_the_transposed_convolution_equals_pytorchs(view, h, w, kernel, maps, stride):
    x, weight = drawn(maps[0], h, w), drawn(*maps, *kernel, seed=1)
    expected = F.conv_transpose2d(x[None], weight, stride=stride)[0]
    torch.testing.assert_close(view(x, weight, stride), expected)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_transposed_convolution_reference_cases(view, shared):
    meta, arrays = op_case(shared, "deconv_small")
    for one in meta["cases"]:
        x, weight = tensors(arrays, f"in_{one['i']}", f"w_{one['i']}")
        found = view(x[0], weight, one["stride"])[None]
        assert parity.worst(found, arrays[f"out_{one['i']}"]) <= parity.TOLERANCE


@few
@given(st.integers(3, 7), st.integers(3, 7), st.integers(1, 3), st.integers(1, 2))
def test_the_matrix_is_the_convolution_and_its_transpose_is_the_gradient(h, w, kernel, stride):
    x, weight = drawn(2, h, w).requires_grad_(), drawn(3, 2, kernel, kernel, seed=1)
    expected = F.conv2d(x[None], weight, stride=stride)[0]
    matrix = operations.convolution_matrix(weight, (h, w), stride)
    torch.testing.assert_close((matrix @ x.flatten()).reshape(expected.shape), expected)
    torch.testing.assert_close(operations.convolution(x, weight, stride), expected)
    upstream = drawn(*expected.shape, seed=2)
    (gradient,) = torch.autograd.grad(expected, x, upstream)
    back = operations.transposed_by_matrix(upstream, weight, stride)
    # Positions that no window reaches have no gradient and are not in the result.
    covered = gradient[:, : back.shape[-2], : back.shape[-1]]
    torch.testing.assert_close(back, covered)


@few
@given(side, side, st.integers(1, 3), st.booleans())
def test_pooling_and_unpooling_equal_pytorchs(h, w, window, ceil_mode):
    ceil_mode = ceil_mode or min(h, w) < window
    x = drawn(3, h, w)
    expected, where = F.max_pool2d_with_indices(x[None], window, ceil_mode=ceil_mode)
    values, indices = operations.max_pool(x, window, ceil_mode)
    assert torch.equal(values, expected[0]) and torch.equal(indices, where[0])
    expected = F.max_unpool2d(expected, where, window, output_size=(h, w))[0]
    assert torch.equal(operations.unpool(values, indices, (h, w)), expected)


def test_pooling_reference_cases(shared):
    meta, arrays = op_case(shared, "maxpool_unpool")
    for one in meta["cases"]:
        names = [f"{kind}_{one['i']}" for kind in ("in", "pool", "mask", "unpool")]
        for x, pool, mask, unpool in zip(*tensors(arrays, *names), strict=True):
            values, indices = operations.max_pool(x, 2, one["ceil_mode"])
            assert torch.equal(values, pool) and torch.equal(indices, mask.long())
            size = tuple(x.shape[-2:])
            assert torch.equal(operations.unpool(values, indices, size), unpool)


def test_unpooling_to_a_map_that_is_too_small_is_refused():
    values, indices = operations.max_pool(drawn(1, 4, 6))
    with pytest.raises(GeometryError, match="0 to 14"):
        operations.unpool(values, indices, (3, 5))


def test_batch_norm_reference_case(shared):
    _, arrays = op_case(shared, "batchnorm")
    names = ("input", "running_mean", "running_var", "weight", "bias")
    x, mean, variance, weight, bias = tensors(arrays, *names)
    found = operations.batch_norm(x, mean, variance, weight, bias).relu()
    assert parity.worst(found, arrays["out_eval"]) <= parity.TOLERANCE
    found = operations.batch_norm(x, *operations.batch_statistics(x), weight, bias).relu()
    assert parity.worst(found, arrays["out_train"]) <= parity.TOLERANCE
    layer = torch.nn.BatchNorm2d(3)  # momentum 0.1 is Paddle's 0.9
    state = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    layer.load_state_dict(state, strict=False)
    assert parity.worst(layer.eval()(x).relu().detach(), arrays["out_eval"]) <= parity.TOLERANCE
    assert parity.worst(layer.train()(x).relu().detach(), arrays["out_train"]) <= parity.TOLERANCE
    assert parity.worst(layer.running_mean, arrays["new_running_mean"]) <= parity.TOLERANCE


def test_paddles_running_variance_is_biased_and_pytorchs_is_not(shared):
    _, arrays = op_case(shared, "batchnorm")
    x, before = tensors(arrays, "input", "running_var")
    updated = {}
    for unbiased in (False, True):
        _, batch = operations.batch_statistics(x, unbiased)
        updated[unbiased] = 0.9 * before + 0.1 * batch
    layer = torch.nn.BatchNorm2d(3).train()
    layer.running_var.copy_(before)
    layer(x)
    assert parity.worst(updated[False], arrays["new_running_var"]) <= parity.TOLERANCE
    torch.testing.assert_close(layer.running_var, updated[True])
    assert np.abs(layer.running_var.numpy() - arrays["new_running_var"]).max() > 1e-4
