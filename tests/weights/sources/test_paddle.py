"""Paddle's state dicts give the paper's names and torch's layouts, and nothing is unpickled."""

import pickle

import numpy as np
import pytest

import parity
from fullconv.errors import WeightsError
from fullconv.weights.sources import read_weights


def values(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.fixture
def read(tmp_path):
    def reading(content, **options):
        path = tmp_path / "net.bin"
        path.write_bytes(content)
        return read_weights(path, **options)

    return reading


STATE = {
    "layer1.0.conv.weight": values(4, 3, 3, 3),
    "layer1.0.bn._mean": values(4),
    "layer1.0.bn._variance": np.abs(values(4)),
    "layer1.0.bn.weight": values(4),
    "layer2.1.conv.bias": values(4),
    "score.weight": values(5, 4, 1, 1),
    "up_output.weight": values(5, 5, 4, 4),
    "StructuredToParameterName@@": {"score.weight": "conv2d_1.w_0"},
}
NAMES = {
    "conv1_1.weight": "layer1.0.conv.weight",
    "bn1_1.running_mean": "layer1.0.bn._mean",
    "bn1_1.running_var": "layer1.0.bn._variance",
    "bn1_1.weight": "layer1.0.bn.weight",
    "conv2_2.bias": "layer2.1.conv.bias",
    "score_fr.weight": "score.weight",
    "upscore2.weight": "up_output.weight",
}


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("numpy_1", [False, True])
def test_every_pickle_protocol_is_read_with_the_papers_names(protocol, numpy_1, read):
    content = pickle.dumps(STATE, protocol=protocol)
    if numpy_1 and protocol < 4:
        assert b"numpy._core" in content
        content = content.replace(b"numpy._core", b"numpy.core")
    found = read(content)
    assert found.arrays.keys() == NAMES.keys()
    for ours, theirs in NAMES.items():
        np.testing.assert_array_equal(found.arrays[ours], STATE[theirs], strict=True)


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2"])
def test_other_floats_become_float32(kind, read):
    array = values(3, 5).astype(kind)
    found = read(pickle.dumps({"x.bias": array[0]}, protocol=4)).arrays["x.bias"]
    np.testing.assert_array_equal(found, array[0].astype(np.float32), strict=True)


def test_an_array_in_column_order(read):
    array = np.asfortranarray(values(3, 2, 5, 5))
    found = read(pickle.dumps({"x.weight": array}, protocol=2)).arrays["x.weight"]
    np.testing.assert_array_equal(found, array)


def test_a_linear_layer_is_transposed(read):
    matrix = values(8, 3)
    found = read(pickle.dumps({"classifier.0.weight": matrix}, protocol=4)).arrays
    np.testing.assert_array_equal(found["classifier.0.weight"], matrix.T)


def test_fluids_dropout_halves_the_layers_after_it(read):
    state = {name: values(3, 4, 1, 1) for name in ("fc6.weight", "fc7.weight", "score.weight")}
    content = pickle.dumps(state, protocol=2)
    plain, halved = read(content), read(content, fluid_dropout=True)
    for name in ("fc7.weight", "score_fr.weight"):
        np.testing.assert_array_equal(halved.arrays[name] * 2, plain.arrays[name])
    np.testing.assert_array_equal(halved.arrays["fc6.weight"], plain.arrays["fc6.weight"])
    assert "fluid" in plain.notes[-1] and "fc7.weight, score_fr.weight" in halved.notes[-1]


def test_fluids_dropout_is_refused_for_other_formats(tmp_path, read):
    with pytest.raises(WeightsError, match="does not support the option fluid_dropout; omit it"):
        read(b"\x0a\x01a\xa2\x06\x00", fluid_dropout=True)


def test_entries_that_are_not_arrays_are_reported(read):
    assert "epoch" in read(pickle.dumps({"epoch": 3, "x.bias": values(3)}, protocol=4)).notes[0]


@pytest.mark.parametrize(
    "value",
    [np.array([object()]), np.array(["text"]), np.zeros(2, [("a", "f4")]), np.zeros(2, "c8")],
)
def test_arrays_of_other_types_are_refused(value, read):
    with pytest.raises(WeightsError, match="not a plain number"):
        read(pickle.dumps({"x": value}, protocol=4))


def test_a_file_written_by_paddle(shared):
    folder = shared("parity")
    found = read_weights(folder / "importers" / "tiny_fcn8s_bn.pdparams")
    expected = parity.recipe(folder).weights("fcn8s-bn", 5, 32, 64, seed=3)
    assert found.arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
