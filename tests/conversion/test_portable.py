"""A portable copy has simpler ops and the same scores; the network itself is unchanged."""

import pytest
import torch

import export_models
from fullconv.conversion.portable import ZeroPaddedUpsample, make_portable
from fullconv.networks.layers import TransposedUpsample


def difference(first, second):
    return ((first - second).abs().max() / second.abs().max()).item()


def test_border_skipping_adds_no_slices_or_concatenations_between_layers():
    net = export_models.network(padding=100)
    program = torch.export.export(make_portable(net, (64, 64)), (torch.zeros(1, 3, 64, 64),))
    used = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert not any("cat" in target or "index" in target for target in used)
    last = max(index for index, target in enumerate(used) if "conv2d" in target)
    pools = [index for index, target in enumerate(used) if "max_pool" in target]
    assert not any("slice" in target for target in used[: pools[-1]]) and last > pools[-1]


def test_networks_without_extra_padding_are_unchanged():
    net = export_models.network()
    assert make_portable(net, (64, 64)).backbone is net.backbone


def test_the_original_network_is_unchanged():
    net = export_models.network(padding=100)
    keys, upscore = list(net.state_dict()), net.upscore8
    copy = make_portable(net, (40, 50))
    assert list(net.state_dict()) == keys and net.upscore8 is upscore
    assert (
        net.sparse_padding
        and not copy.sparse_padding
        and isinstance(copy.upscore8, ZeroPaddedUpsample)
    )


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_zero_padded_interpolation_equals_the_transposed_convolution(factor, size):
    score = torch.randn(2, 3, *size)
    assert (
        difference(ZeroPaddedUpsample(factor)(score), TransposedUpsample(3, factor)(score).detach())
        < 1e-6
    )


def test_learned_upsampling_stays_a_transposed_convolution():
    net = export_models.network(upsampling="transposed")
    with torch.no_grad():
        net.upscore8.weight[0, 1, 0, 0] += 1e-3
    assert make_portable(net).upscore8 is net.upscore8
