import sys

import numpy as np
import pytest

import export_models
from fullconv.errors import MissingExtraError, WeightsError
from fullconv.export.exporters import exporters
from fullconv.inference.runtimes import runtimes

onnx = pytest.importorskip("onnx", reason="needs the extra [onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
EXPORTER = exporters["onnx"]
RUNTIME = runtimes["onnx"]


@pytest.fixture(scope="module")
def net():
    return export_models.network(padding=100)


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    EXPORTER.write(net, path)
    return path


def test_scores_equal_the_networks_for_any_image_and_batch_size(net, file):
    run = RUNTIME.open(file).run
    assert export_models.max_difference(net, run) < 1e-5
    assert export_models.max_difference(net, run, sizes=[(5, 9)], count=3) < 1e-5


def test_the_graph_is_valid_and_has_named_dynamic_dimensions(file):
    graph = onnx.load(file)
    onnx.checker.check_model(graph, full_check=True)
    (image,), (score,) = graph.graph.input, graph.graph.output
    assert (image.name, score.name) == ("image", "score")
    sides = [side.dim_param or side.dim_value for side in image.type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]


def test_poolings_have_explicit_padding_instead_of_ceil_mode(file):
    pools = [node for node in onnx.load(file).graph.node if node.op_type == "MaxPool"]
    assert len(pools) == 5
    for pool in pools:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in pool.attribute}
        assert attributes.get("ceil_mode", 0) == 0 and attributes["pads"] == [0, 0, 1, 1]


def test_the_file_has_no_paths_of_this_machine(file):
    assert not export_models.names_this_machine(file.read_bytes())


def test_the_description_is_read_as_it_was_written(net, file, tmp_path):
    path = tmp_path / "described.onnx"
    path.write_bytes(file.read_bytes())
    assert RUNTIME.open(path).description is None
    EXPORTER.stamp(path, text := '{"classes": ["Straße", "a\\"b<c>&d"]}')
    opened = RUNTIME.open(path)
    assert opened.description == text
    assert export_models.max_difference(net, opened.run, sizes=[(9, 5)]) < 1e-5
    onnx.checker.check_model(onnx.load(path))


def test_int8_scores_are_close(net, file, tmp_path):
    images = [export_models.batch(1, 40, 50), export_models.batch(1, 33, 65)]
    EXPORTER.quantize(file, tmp_path / "int8.onnx", images)
    opened = RUNTIME.open(tmp_path / "int8.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    expected, found = export_models.scores(net, images[0]), opened.run(images[0])
    assert 0 < np.abs(expected - found).max() / np.abs(expected).max() < 0.3


def test_other_files_are_refused_with_one_message(tmp_path):
    with pytest.raises(WeightsError, match="there is no such model file"):
        RUNTIME.open(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(WeightsError, match=r"text.onnx: not an \.onnx file: .*; export it again"):
        RUNTIME.open(tmp_path / "text.onnx")


def test_a_foreign_network_is_refused(tmp_path):
    kind = onnx.TensorProto.FLOAT
    value = [onnx.helper.make_tensor_value_info(name, kind, [1]) for name in "xy"]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    opset = [onnx.helper.make_opsetid("", 20)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "s.onnx"
    )
    with pytest.raises(WeightsError, match="its input is not 'image'"):
        RUNTIME.open(tmp_path / "s.onnx")


def test_a_missing_package_is_named(net, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="pip install --upgrade fullconv"):
        EXPORTER.write(net, tmp_path / "net.onnx")
    with pytest.raises(MissingExtraError, match="onnxruntime"):
        RUNTIME.open(tmp_path / "net.onnx")


def test_layers_of_a_graph_for_one_size_pass_int8_to_each_other(net, tmp_path):
    EXPORTER.write(net, tmp_path / "net.onnx", size := (40, 50))
    image = export_models.batch(1, *size)
    EXPORTER.quantize(tmp_path / "net.onnx", tmp_path / "int8.onnx", [image])
    nodes = list(onnx.load(tmp_path / "int8.onnx").graph.node)
    made = {name: node for node in nodes for name in node.output}

    def source(name):
        """Return what computes an int8 value; "constant" if it is stored, None of a float."""
        if (node := made.get(name)) is None or node.op_type != "DequantizeLinear":
            return None
        quantized = made.get(node.input[0])
        return made[quantized.input[0]].op_type if quantized else "constant"

    reads = [source(n.input[0]) for n in nodes if n.op_type in ("Conv", "MaxPool")]
    assert len(reads) == 18 and reads[0] == "Div" and set(reads[1:]) == {"Conv", "Add", "MaxPool"}
    # Constant values are subtracted in int8 between the layers that border skipping divides.
    sums = [{source(name) for name in n.input} for n in nodes if n.op_type == "Add"]
    assert sums.count({"Conv", "constant"}) == 6
    expected = export_models.scores(net, image)
    found = RUNTIME.open(tmp_path / "int8.onnx").run(image)
    assert np.abs(expected - found).max() / np.abs(expected).max() < 0.3


@pytest.mark.slow
def test_a_graph_for_one_size_uses_border_skipping(net, tmp_path):
    EXPORTER.write(net, tmp_path / "net.onnx", (40, 50))
    run = RUNTIME.open(tmp_path / "net.onnx").run
    assert export_models.max_difference(net, run, sizes=[(40, 50)], count=1) < 1e-5
    EXPORTER.quantize(
        tmp_path / "net.onnx", tmp_path / "int8.onnx", [export_models.batch(1, 40, 50)]
    )
    kinds = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert "QuantizeLinear" in kinds


KINDS = {
    "same": {},
    "sum": {"fusing": "sum"},
    "unpooling": {"upsampling": "unpooling"},
    "bilinear": {"upsampling": "bilinear"},
    "corners": {"upsampling": "bilinear-corners"},
    "resnet": {"name": "fcn8s-torchvision_resnet18"},
    "efficientnet": {"name": "fcn8s-tf_efficientnet_lite0"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network(kind, tmp_path):
    net = export_models.network(**KINDS[kind])
    EXPORTER.write(net, tmp_path / "net.onnx")
    assert export_models.max_difference(net, RUNTIME.open(tmp_path / "net.onnx").run) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same", "bilinear", "resnet", "efficientnet"])
def test_int8_of_every_kind_of_network(kind, tmp_path):
    net = export_models.network(**KINDS[kind])
    EXPORTER.write(net, tmp_path / "net.onnx")
    EXPORTER.quantize(
        tmp_path / "net.onnx", tmp_path / "int8.onnx", [export_models.batch(1, 96, 128)]
    )
    run = RUNTIME.open(tmp_path / "int8.onnx").run
    for batch in (export_models.batch(1, 96, 128), export_models.batch(2, 65, 47)):
        expected, found = export_models.scores(net, batch), run(batch)
        assert np.abs(expected - found).max() < 0.3 * np.abs(expected).max()
