"""Caffe models are read in all variants of the format."""

import itertools

import numpy as np
import pytest

import parity
from caffe_writer import layer, message, net, number
from fullconv.errors import WeightsError
from fullconv.weights.sources import read_weights


def values(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "net.bin"
        path.write_bytes(content)
        return read_weights(path)

    return read_content


VARIANTS = [
    {"old": old, "packed": packed, "double": double, "legacy": legacy}
    for old, packed, double, legacy in itertools.product((False, True), repeat=4)
]


@pytest.mark.parametrize("how", VARIANTS, ids=str)
def test_every_variant_is_read(how, read):
    kernel, bias = values(4, 3, 3, 3), values(4)
    found = read(net(layer("conv1_1", "Convolution", [kernel, bias], **how)))
    assert found.arrays.keys() == {"conv1_1.weight", "conv1_1.bias"}
    np.testing.assert_array_equal(found.arrays["conv1_1.weight"], kernel)
    np.testing.assert_array_equal(found.arrays["conv1_1.bias"], bias)
    assert all(array.dtype == np.float32 for array in found.arrays.values())
    assert ("old" in found.source) == how["old"]


@pytest.mark.parametrize("old", [False, True])
def test_a_fully_connected_layer_is_a_matrix(old, read):
    matrix, bias = values(5, 12), values(5)
    found = read(net(layer("fc6", "InnerProduct", [matrix, bias], old=old, legacy=True)))
    np.testing.assert_array_equal(found.arrays["fc6.weight"], matrix)
    np.testing.assert_array_equal(found.arrays["fc6.bias"], bias)


def test_grouped_and_transposed_convolutions_keep_their_shapes(read):
    grouped, transposed = values(6, 2, 5, 5), values(3, 4, 4, 4)
    found = read(
        net(
            layer("conv2", "Convolution", [grouped, values(6)]),
            layer("upscore2", "Deconvolution", [transposed]),
        )
    )
    np.testing.assert_array_equal(found.arrays["conv2.weight"], grouped)
    np.testing.assert_array_equal(found.arrays["upscore2.weight"], transposed)
    assert found.order == "bgr" and found.mean is None  # not a VGG, so the mean is unknown


def test_several_packed_fields_of_one_blob_are_joined(read):
    data = np.arange(6, dtype=np.float32)
    packs = message(5, data[:2].tobytes()) + message(5, data[2:].tobytes())
    shape = message(7, message(1, b"\x02\x03"))
    content = net(message(100, message(1, "a") + message(2, "Bias") + message(7, shape + packs)))
    np.testing.assert_array_equal(read(content).arrays["a.weight"], data.reshape(2, 3))


def test_batch_norm_and_its_scale_layer_are_merged(read):
    mean, variance, gamma, beta = values(4), values(4) ** 2, values(4) + 1, values(4)
    norm = [mean * 2, variance * 2, np.array([2.0], np.float32)]
    found = read(
        net(
            layer("conv1_1", "Convolution", [values(4, 3, 3, 3)], top="conv1_1"),
            layer("bn1_1", "BatchNorm", norm, bottom="conv1_1", top="bn1_1"),
            layer("scale1_1", "Scale", [gamma, beta], bottom="bn1_1", top="bn1_1"),
        )
    ).arrays
    np.testing.assert_allclose(found["bn1_1.running_mean"], mean)
    np.testing.assert_allclose(found["bn1_1.running_var"], variance)
    np.testing.assert_array_equal(found["bn1_1.weight"], gamma)
    np.testing.assert_array_equal(found["bn1_1.bias"], beta)


def test_a_scale_alone_keeps_its_name(read):
    factors = np.full((8,), 0.01, np.float32)
    found = read(net(layer("scale_pool4", "Scale", [factors], bottom="pool4", top="scale_pool4")))
    np.testing.assert_array_equal(found.arrays["scale_pool4.weight"], factors)


def test_layers_without_weights_are_reported(read):
    content = net(
        layer("data", "Python"),
        layer("relu1_1", "ReLU"),
        layer("conv1_1", "Convolution", [values(4, 3, 3, 3)]),
        layer("loss", "X"),
    )
    assert read(content).notes[0] == "layers without weights: data, loss"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (message(100, message(1, "a") + message(7, message(5, b"\0" * 5))), "inside a number"),
        (message(100, message(1, "a") + message(7, message(5, b"\0" * 8))), "has 2 values"),
        (message(100, message(1, "a") + number(7, 3)), "where a message is expected"),
        (message(2, message(1, "an inner layer")), "upgrade_net_proto"),
        (b"\x0a\x03net\xa2\x06\xff\x01", "are left"),
    ],
)
def test_faults_are_named(content, reason, read):
    with pytest.raises(WeightsError, match=reason):
        read(content)


def test_a_duplicate_array_is_refused(read):
    twice = layer("conv1_1", "Convolution", [values(4, 3, 3, 3)])
    with pytest.raises(WeightsError, match="twice"):
        read(net(twice, twice))


def test_a_file_written_by_caffe(shared):
    folder = shared("parity")
    found = read_weights(folder / "importers" / "tiny_fcn8s.caffemodel")
    expected = parity.recipe(folder).weights("fcn8s", 5, 32, 64, seed=3)
    assert found.arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert found.order == "bgr"
    assert found.mean == (122.67891434, 116.66876762, 104.00698793)
