"""ONNX files: VGG is recognized by its layers, and computes the same in our network."""

import numpy as np
import pytest
import torch

from fullconv.errors import MissingExtraError, WeightsError
from fullconv.weights.load import load_weights
from fullconv.weights.sources import read_weights

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

DEPTHS = (1, 1, 2, 2, 2)


def keras_vgg11(side=64, width=4, gemm=False):
    """Build a VGG-11 as tf2onnx writes it: image (H, W, C), flattened in that order before fc1."""
    random = np.random.default_rng(0)
    held, nodes = [], []

    def array(name, *shape):
        values = (random.normal(size=shape) * 0.5).astype(np.float32)
        held.append(numpy_helper.from_array(values, name))
        return name

    last, channels = "nchw", 3
    nodes.append(helper.make_node("Transpose", ["image"], [last], perm=[0, 3, 1, 2]))
    for block, depth in enumerate(DEPTHS):
        for number in range(depth):
            stem = f"model/block{block}_conv{number}"
            kernel = array(f"{stem}/kernel:0", width, channels, 3, 3)
            inputs = [last, kernel, array(f"{stem}/Squeeze:0", width)]
            nodes.append(helper.make_node("Conv", inputs, [f"{stem}:0"], pads=[1] * 4))
            nodes.append(helper.make_node("Relu", [f"{stem}:0"], [f"{stem}/Relu:0"]))
            last, channels = f"{stem}/Relu:0", width
        pooled = f"pool{block}:0"
        nodes.append(
            helper.make_node("MaxPool", [last], [pooled], kernel_shape=[2, 2], strides=[2, 2])
        )
        last = pooled
    inner = width * (side // 32) ** 2
    held.append(numpy_helper.from_array(np.array([-1, inner]), "flat"))
    nodes.append(helper.make_node("Transpose", [last], ["nhwc"], perm=[0, 2, 3, 1]))
    nodes.append(helper.make_node("Reshape", ["nhwc", "flat"], ["flattened"]))
    last = "flattened"
    for number, (inside, outside) in enumerate(((inner, 6), (6, 6), (6, 3))):
        stem = f"model/dense{number}"
        if gemm:
            weight = array(f"{stem}/kernel:0", outside, inside)
            inputs = [last, weight, array(f"{stem}/bias:0", outside)]
            nodes.append(helper.make_node("Gemm", inputs, [f"{stem}:0"], transB=1))
        else:
            weight, bias = array(f"{stem}/kernel:0", inside, outside), array(f"{stem}/b:0", outside)
            nodes.append(helper.make_node("MatMul", [last, weight], [f"{stem}/MatMul:0"]))
            nodes.append(helper.make_node("Add", [f"{stem}/MatMul:0", bias], [f"{stem}:0"]))
        last = f"{stem}:0"
        if number < 2:
            nodes.append(helper.make_node("Relu", [last], [f"{stem}/Relu:0"]))
            last = f"{stem}/Relu:0"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, side, side, 3])
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "keras", [image], [output], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


class Narrow(torch.nn.Module):
    """Eight convolutions and three linear layers with the paper's names."""

    def __init__(self, inner):
        super().__init__()
        channels = 3
        for block, depth in enumerate(DEPTHS, 1):
            for number in range(1, depth + 1):
                layer = torch.nn.Conv2d(channels, 4, 3, padding=1)
                self.add_module(f"conv{block}_{number}", layer)
                channels = 4
        self.fc6, self.fc7 = torch.nn.Linear(inner, 6), torch.nn.Linear(6, 6)
        self.fc8 = torch.nn.Linear(6, 3)

    def forward(self, x):
        for block, depth in enumerate(DEPTHS, 1):
            for number in range(1, depth + 1):
                x = self.get_submodule(f"conv{block}_{number}")(x).relu()
            x = torch.nn.functional.max_pool2d(x, 2)
        return self.fc8(self.fc7(self.fc6(x.flatten(1)).relu()).relu())


@pytest.mark.parametrize("gemm", [False, True])
@torch.no_grad()
def test_a_keras_vgg_computes_the_same(gemm, tmp_path):
    model = keras_vgg11(gemm=gemm)
    onnx.save(model, tmp_path / "net.bin", format="protobuf")
    ours = Narrow(inner=16)
    done = load_weights(ours, tmp_path / "net.bin", strict=True)
    assert not done.reshaped
    image = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"image": image})
    found = ours(torch.from_numpy(image).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_numbered_layers_of_pytorchs_exporter(tmp_path):
    """The exporter keeps the names of the state dict."""
    numbers = (0, 3, 6, 8, 11, 13, 16, 18)  # of torchvision's vgg11
    kernels = {f"features.{n}.weight": np.full((2, 2, 3, 3), n, np.float32) for n in numbers}
    held = [numpy_helper.from_array(kernel, name) for name, kernel in kernels.items()]
    content = helper.make_model(helper.make_graph([], "g", [], [], held)).SerializeToString()
    (tmp_path / "net.bin").write_bytes(content)
    arrays = read_weights(tmp_path / "net.bin").arrays
    names = ["1_1", "2_1", "3_1", "3_2", "4_1", "4_2", "5_1", "5_2"]
    found = {name: array.flat[0] for name, array in arrays.items()}
    assert found == {f"conv{name}.weight": n for name, n in zip(names, numbers, strict=True)}


def test_other_networks_keep_the_names_of_their_initializers(tmp_path):
    weight = numpy_helper.from_array(np.ones((2, 3, 5, 5), np.float16), "stem/kernel:0")
    count = numpy_helper.from_array(np.array([7]), "count")
    node = helper.make_node("Conv", ["x", "stem/kernel:0"], ["y"])
    onnx.save(
        helper.make_model(helper.make_graph([node], "g", [], [], [weight, count])),
        tmp_path / "net.bin",
        format="protobuf",
    )
    found = read_weights(tmp_path / "net.bin")
    assert found.arrays.keys() == {"stem/kernel:0"}
    assert found.arrays["stem/kernel:0"].dtype == np.float32
    assert "not a VGG" in found.notes[0]


def test_external_data_is_never_opened(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 16)
    weight = TensorProto(name="w", dims=[4], data_type=1, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="../" * 9 + str(secret))
    graph = helper.make_graph([], "g", [], [], [weight])
    (tmp_path / "net.bin").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(WeightsError, match="another file, which is never opened"):
        read_weights(tmp_path / "net.bin")


def test_without_onnx_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    (tmp_path / "net.bin").write_bytes(keras_vgg11().SerializeToString())
    with pytest.raises(MissingExtraError, match="pip install --upgrade fullconv"):
        read_weights(tmp_path / "net.bin")
