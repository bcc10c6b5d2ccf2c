"""Any file is read or refused with a message; published weights are recognized."""

import gzip

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fullconv.errors import WeightsError
from fullconv.weights.sources import format_names, read_weights, sources

SOURCES = {"caffe", "onnx_keras", "paddle", "pytorch", "safetensor"}


def test_every_source_is_registered():
    assert set(sources) == SOURCES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n", "HDF5.*tf2onnx"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (gzip.compress(b"weights", mtime=0), "gzip"),
        (b'name: "FCN"\nlayer {\n', "caffemodel"),
        (
            b"nothing that anyone knows",
            "not a supported weights file; supported: .*Caffe.*ONNX.*Paddle.*PyTorch",
        ),
    ],
)
def test_other_files_are_refused_with_what_they_are(content, reason, tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"{path.name} is .*{reason}"):
        read_weights(path)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path, tmp_path / "absent.pth"):
        with pytest.raises(WeightsError, match="there is no weights file at"):
            read_weights(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value, tmp_path):
    torch.save({"a.bias": torch.tensor([1.0, value]), "b.bias": torch.ones(2)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.bias has values that are not finite"):
        read_weights(tmp_path / "a.pth")


def test_values_that_overflow_float32_are_refused(tmp_path):
    torch.save({"a.bias": torch.tensor([1e300], dtype=torch.float64)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="not finite"):
        read_weights(tmp_path / "a.pth")


def test_a_layer_of_only_nan_is_left_out(tmp_path):
    """torchvision's IMAGENET1K_FEATURES have such a classifier."""
    tensors = {"fc6.weight": torch.full((2, 2), torch.nan), "conv1_1.bias": torch.ones(2)}
    torch.save(tensors, tmp_path / "a.pth")
    found = read_weights(tmp_path / "a.pth")
    assert found.arrays.keys() == {"conv1_1.bias"}
    assert "fc6.weight" in found.notes[-1]


def test_the_authors_vgg_is_recognized_in_both_channel_orders(shared, tmp_path):
    path = shared("weights") / "vgg16_imagenet_features_fp16.safetensors"
    arrays = read_weights(path).arrays
    for order, step in (("rgb", 1), ("bgr", -1)):
        kernel = torch.from_numpy(arrays["conv1_1.weight"][:, ::step].copy())
        tensors = {
            "conv1_1.weight": kernel,
            "conv1_1.bias": torch.from_numpy(arrays["conv1_1.bias"]),
        }
        save_file(tensors, tmp_path / "net.bin")  # without metadata about the input
        found = read_weights(tmp_path / "net.bin")
        assert (found.mean, found.std) == ((123.68, 116.779, 103.939), (1, 1, 1))
        assert found.order == order


def test_other_weights_are_not_recognized_as_the_authors(tmp_path):
    save_file(
        {"conv1_1.weight": torch.randn(64, 3, 3, 3), "conv1_1.bias": torch.randn(64)},
        tmp_path / "net.bin",
    )
    found = read_weights(tmp_path / "net.bin")
    assert (found.mean, found.std, found.order) == (None, None, None)


def test_names_are_listed_compactly():
    names = ["conv1_1.weight", "conv1_1.bias", "upscore.weight", "scale"]
    assert format_names(names) == "conv1_1.{weight,bias} upscore.weight scale"


def test_arrays_convert_to_torch_without_a_warning(shared):
    for name in ("tiny_fcn8s.caffemodel", "tiny_fcn8s_bn.pdparams", "tiny_fcn8s_torchfcn.pth"):
        for array in read_weights(shared("parity") / "importers" / name).arrays.values():
            assert torch.from_numpy(array).dtype == torch.float32
            assert isinstance(array, np.ndarray) and array.flags.writeable
