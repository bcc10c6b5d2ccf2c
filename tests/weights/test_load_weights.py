"""Loaded weights give the same scores as the framework that wrote them."""

import numpy as np
import pytest
import torch

import parity
from caffe_writer import layer, net
from fullconv.errors import WeightsError
from fullconv.networks.fcn import create_model
from fullconv.weights.load import load_weights

RAW = {"mean": (0, 0, 0), "std": (1, 1, 1), "order": "rgb"}
FILES = {
    "tiny_fcn8s.caffemodel": ("fcn8s-vgg16", "import_tiny_fcn8s__caffe.npz"),
    "tiny_fcn8s_bn.pdparams": ("fcn8s-vgg16_bn", "import_tiny_fcn8s_bn__paddle.npz"),
    "tiny_fcn8s_torchfcn.pth": ("fcn8s-vgg16", "import_tiny_fcn8s_torchfcn__torch.npz"),
}


def tiny(name, classes=5, **options):
    options = {"padding": 100, "width": 1 / 32, "hidden": 64, **RAW, **options}
    return create_model(name, classes, **options).eval()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("fluid", [False, True])
@torch.no_grad()
def test_scores_equal_those_of_the_original_framework(file, fluid, shared):
    """Compare with the outputs of Caffe, Paddle and pytorch-fcn for the same files."""
    folder = shared("parity")
    name, case = FILES[file]
    _, arrays = parity.case(folder, case)
    if fluid and "output_fluid" not in arrays:
        pytest.skip("only Paddle has fluid's dropout")
    network = tiny(name)
    done = load_weights(network, folder / "importers" / file, strict=True, fluid_dropout=fluid)
    assert not done.missing and not done.left_over and not done.reshaped
    network.normalization = network.normalization.model_copy(update=RAW)  # as the cases are
    score = network(torch.from_numpy(arrays["input"]))
    reference = arrays["output_fluid" if fluid else "output"]
    assert parity.worst(score, reference) <= parity.TOLERANCE


def test_the_normalization_is_loaded_with_the_weights(shared):
    network = tiny("fcn8s-vgg16")
    done = load_weights(network, shared("parity") / "importers" / "tiny_fcn8s.caffemodel")
    assert network.normalization.mean == (122.67891434, 116.66876762, 104.00698793)
    assert network.normalization.order == "bgr"
    assert "bgr" in str(done)


def test_another_number_of_classes_is_reported_and_all_else_is_loaded(shared):
    network = tiny("fcn8s-vgg16", classes=7)
    done = load_weights(network, shared("parity") / "importers" / "tiny_fcn8s.caffemodel")
    heads = {name for name in done.missing if "score" in name}
    assert set(done.missing) == heads == set(done.left_over)
    assert "score_fr.{weight,bias}" in str(done)
    assert "score_fr.weight (5, 64, 1, 1) in the file, (7, 64, 1, 1) here" in str(done)
    with pytest.raises(WeightsError, match="strict"):
        load_weights(network, shared("parity") / "importers" / "tiny_fcn8s.caffemodel", strict=True)


def test_if_nothing_fits_both_sides_are_listed(shared):
    network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    with pytest.raises(WeightsError, match=r"conv1_1\.weight \(2, 3, 3, 3\).*0\.weight \(3, 2\)"):
        load_weights(network, shared("parity") / "importers" / "tiny_fcn8s.caffemodel")


@pytest.fixture
def caffe(tmp_path):
    """Write a Caffe file of the recipe's at-once network, with its Scale layers."""

    def write(arrays, **extra):
        stems = dict.fromkeys(name.rpartition(".")[0] for name in arrays)
        layers = []
        for stem in stems:
            blobs = [
                arrays[f"{stem}.{kind}"]
                for kind in ("weight", "bias")
                if f"{stem}.{kind}" in arrays
            ]
            kind = "Deconvolution" if stem.startswith("upscore") else "Convolution"
            layers.append(layer(stem, kind, blobs))
        layers += [layer(name, "Scale", [values]) for name, values in extra.items()]
        path = tmp_path / "net.caffemodel"
        path.write_bytes(net(*layers))
        return path

    return write


@torch.no_grad()
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("scales", [None, (0.5, 0.25)])
def test_skip_scales_are_loaded_with_the_weights(equal, scales, shared, caffe):
    """Constant factors become skip scales; others are multiplied into the weights."""
    folder = shared("parity")
    meta, case = parity.case(folder, "fcn8s-atonce__caffe-voc-fcn8s-atonce__w8_c7__1x3x33x47.npz")
    arrays = {name: value.numpy() for name, value in parity.weights(folder, meta).items()}
    factors = {"scale_pool4": np.full(64, 0.01), "scale_pool3": np.full(32, 0.0001)}
    if not equal:  # a factor per channel, and its inverse in the score layer
        for skip in ("pool4", "pool3"):
            tilt = np.linspace(0.5, 2, len(factors[f"scale_{skip}"]))
            factors[f"scale_{skip}"] *= tilt
            arrays[f"score_{skip}.weight"] = arrays[f"score_{skip}.weight"] / tilt[:, None, None]
    network = tiny("fcn8s-vgg16", 7, width=1 / 8, hidden=512, skip_scales=scales)
    done = load_weights(network, caffe(arrays, **factors), strict=True)
    if equal:
        assert network.skip_scales == {"pool4": 0.01, "pool3": 0.0001}
        assert network.architecture.skip_scales == (0.01, 0.0001)
    assert sum("multiplied" in note for note in done.notes) == 2
    network.normalization = network.normalization.model_copy(update=RAW)
    score = network(torch.from_numpy(case["input"]))
    assert parity.worst(score, case["output"]) <= parity.TOLERANCE


def test_a_matrix_becomes_a_convolution_and_is_reported(caffe):
    network = tiny("fcn32s-vgg16")
    matrix = np.random.default_rng(0).normal(size=(64, 16 * 49)).astype(np.float32)
    done = load_weights(network, caffe({"fc6.weight": matrix}))
    assert done.reshaped == ("fc6.weight",)
    assert "1 loaded and reshaped: fc6.weight" in str(done)
    weight = network.backbone.fc6.weight.detach().numpy()
    np.testing.assert_array_equal(weight.reshape(64, -1), matrix)


def test_without_the_first_layer_the_normalization_is_unchanged(caffe):
    network = tiny("fcn32s-vgg16")
    load_weights(
        network,
        caffe(
            {
                "conv1_1.weight": np.ones((9, 3, 3, 3), np.float32),
                "conv1_2.weight": np.ones((2, 2, 3, 3), np.float32),
            }
        ),
    )
    assert network.normalization.mean == (0, 0, 0)
