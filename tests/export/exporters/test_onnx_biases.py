import numpy as np
import pytest
import torch
import torch.nn.functional as F

import export_models
from fullconv.export.exporters import exporters
from fullconv.export.exporters import onnx as onnx_exporter
from fullconv.export.exporters._onnx_biases import mean_shift
from fullconv.inference.runtimes import INPUT, OUTPUT, runtimes

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
EXPORTER, RUNTIME = exporters["onnx"], runtimes["onnx"]


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_the_shift_is_what_errors_of_the_weights_add_on_average(groups):
    torch.manual_seed(0)
    errors = 0.01 * torch.randn(12, 6 // groups, 3, 2, dtype=torch.double)
    image = torch.rand(1, 6, 1, 1, dtype=torch.double).expand(1, 6, 8, 9)
    expected = F.conv2d(image, errors, groups=groups)[0].mean((1, 2))
    found = mean_shift(errors.numpy(), image.mean((0, 2, 3)).numpy())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9)


def one_layer(path, rng):
    """Write a graph of one 1 x 1 convolution."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    values = {"w": rng.normal(size=(8, 3, 1, 1)), "b": rng.normal(size=8)}
    stored = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in values.items()]
    node = helper.make_node("Conv", [INPUT, "w", "b"], [OUTPUT], name="layer")
    ends = [helper.make_tensor_value_info(name, kind, None) for name in (INPUT, OUTPUT)]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], stored)
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)


def tensors(path):
    return {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def test_means_of_the_scores_are_kept_and_only_biases_change(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    one_layer(tmp_path / "net.onnx", rng)
    images = [rng.random((1, 3, 60, 50), np.float32) for _ in range(2)]
    EXPORTER.quantize(tmp_path / "net.onnx", tmp_path / "corrected.onnx", images)
    monkeypatch.setattr(onnx_exporter, "correct_biases", lambda *_: None)
    EXPORTER.quantize(tmp_path / "net.onnx", tmp_path / "plain.onnx", images)

    def shift(name):
        """Return by how much the mean of a channel differs, at most."""
        runs = [RUNTIME.open(tmp_path / f"{file}.onnx").run for file in (name, "net")]
        found, expected = (np.mean([run(one) for one in images], (0, 1, 3, 4)) for run in runs)
        return np.abs(found - expected).max()

    assert shift("corrected") < 0.2 * shift("plain")
    plain, corrected = tensors(tmp_path / "plain.onnx"), tensors(tmp_path / "corrected.onnx")
    changed = [name for name in plain if not np.array_equal(plain[name], corrected[name])]
    assert plain.keys() == corrected.keys()
    assert [plain[name].dtype for name in changed] == [np.int32]


@pytest.mark.parametrize(
    ("name", "float32"), [("fcn8s-tf_efficientnet_lite0", True), ("fcn8s-vgg11", False)]
)
def test_a_strided_convolution_of_the_image_stays_in_float32(name, float32, tmp_path):
    EXPORTER.write(export_models.network(name=name), tmp_path / "net.onnx")
    kept = onnx_exporter._strided_stem(graph := onnx.load(tmp_path / "net.onnx").graph)
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    assert kept == ({convolutions[0]} if float32 else set())
    rest = onnx_exporter._quantized_nodes(tmp_path / "net.onnx")
    assert [one for one in convolutions if one not in rest] == [*kept]
