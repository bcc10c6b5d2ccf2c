"""PyTorch's state dicts: both file formats, nested or not, with the paper's names."""

import numpy as np
import pytest
import torch
from torchvision.models.vgg import make_layers

import parity
from fullconv.errors import WeightsError
from fullconv.networks.backbones import create_classifier
from fullconv.weights.load import load_weights
from fullconv.weights.sources import read_weights

ZIP = [True, False]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.bin"


@pytest.mark.parametrize("zipped", ZIP)
@pytest.mark.parametrize("key", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_nested_state_dict_is_found(zipped, key, prefix, path):
    state = {f"{prefix}conv1_1.weight": torch.randn(4, 3, 3, 3), f"{prefix}n": torch.tensor(7)}
    saved = state if key is None else {"epoch": 3, key: state, "arch": "VGG"}
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    arrays = read_weights(path).arrays
    assert arrays.keys() == {"conv1_1.weight", "n"}
    np.testing.assert_array_equal(arrays["conv1_1.weight"], state[f"{prefix}conv1_1.weight"])
    assert arrays["n"] == 7


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats_become_float32(kind, path):
    tensor = torch.randn(4, 3).to(kind)
    torch.save({"a.weight": tensor.t()}, path)  # not contiguous
    found = read_weights(path).arrays["a.weight"]
    np.testing.assert_array_equal(found, tensor.t().float().numpy(), strict=True)


def test_parameters_and_a_slice_of_a_larger_tensor(path):
    large = torch.randn(10, 4)
    torch.save({"a.weight": torch.nn.Parameter(large[2:4]), "b.weight": large[4]}, path)
    found = read_weights(path).arrays
    np.testing.assert_array_equal(found["a.weight"], large[2:4])
    np.testing.assert_array_equal(found["b.weight"], large[4])


@pytest.mark.parametrize("name", ["net.safetensors", "net.onnx", "net.caffemodel"])
def test_the_extension_does_not_matter(name, tmp_path):
    torch.save({"a.weight": torch.ones(2, 2)}, tmp_path / name)
    assert "PyTorch" in read_weights(tmp_path / name).source


def test_pytorch_fcn_weights_have_bgr_order_and_caffes_mean(shared):
    folder = shared("parity")
    found = read_weights(folder / "importers" / "tiny_fcn8s_torchfcn.pth")
    expected = parity.recipe(folder).weights("fcn8s", 5, 32, 64, seed=3)
    assert found.arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert (found.order, found.std) == ("bgr", (1.0, 1.0, 1.0))
    assert found.mean == (122.67891434, 116.66876762, 104.00698793)


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.no_grad()
def test_torchvisions_numbered_layers_get_the_papers_names(batch_norm, path):
    """The weights compute the same in our network as in torchvision's layers."""
    blocks = [8, 8, "M", 16, 16, "M", *[32] * 3, "M", *[64] * 3, "M", *[64] * 3, "M"]
    theirs = torch.nn.Sequential()
    theirs.features = make_layers(blocks, batch_norm)
    theirs.classifier = torch.nn.Sequential(
        *(torch.nn.Linear(64 * 49, 32), torch.nn.ReLU(), torch.nn.Dropout()),
        *(torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(32, 3)),
    )
    for _ in range(3):  # batch norms with non-default statistics
        theirs.features(torch.randn(2, 3, 32, 32))
    torch.save(theirs.state_dict(), path)
    ours = create_classifier("vgg16_bn" if batch_norm else "vgg16", 3, width=1 / 8, hidden=32)
    done = load_weights(ours, path, strict=True)
    assert not done.reshaped
    image = torch.randn(1, 3, 224, 224)
    features = theirs.eval().features(image)
    torch.testing.assert_close(ours.eval()(image), theirs.classifier(features.flatten(1)))


def test_a_network_of_another_family_keeps_its_names(path):
    state = {"backbone.layer1.0.conv1.weight": torch.ones(2, 2, 1, 1)}
    torch.save(state, path)
    found = read_weights(path)
    assert found.arrays.keys() == state.keys()
    assert "names are kept" in found.notes[0]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_a_torchscript_program_is_refused(path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    with pytest.raises(WeightsError, match="TorchScript program"):
        read_weights(path)


@pytest.mark.parametrize("zipped", ZIP)
def test_a_pickled_model_is_refused_with_its_class(zipped, path):
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict"):
        read_weights(path)


@pytest.mark.parametrize("saved", [{}, {"epoch": 3}, [torch.ones(2)], torch.ones(2)])
def test_a_file_without_named_tensors(saved, path):
    torch.save(saved, path)
    with pytest.raises(WeightsError, match="no tensors by name"):
        read_weights(path)


def test_sparse_tensors_are_refused(path):
    torch.save({"a.weight": torch.eye(3).to_sparse()}, path)
    with pytest.raises(WeightsError, match="_rebuild_sparse_tensor"):
        read_weights(path)
