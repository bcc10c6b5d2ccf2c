"""Graphs written from recorded calls have the network's scores, at any size."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import export_models
from fullconv.conversion import onnx_graph
from fullconv.conversion.onnx_graph import save_onnx, write_calls
from fullconv.conversion.portable import make_portable
from fullconv.errors import ExportError
from fullconv.inference.runtimes.onnx import run_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def run(network, folder, size=None):
    """Return the graph's scores function; PyTorch's exporter is not used."""
    save_onnx(network, folder / "network.onnx", size, patient=False)
    onnx.checker.check_model(onnx.load(folder / "network.onnx"), full_check=True)
    return run_onnx(folder / "network.onnx")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fcn8s-vgg11", {"padding": 100, "order": "bgr"}),
        ("fcn8s-vgg11_bn", {"fusing": "sum", "upsampling": "bilinear"}),
        ("fcn8s-vgg11", {"upsampling": "bilinear-corners", "learn_upsampling": False}),
        ("fcn4s-vgg11", {"learn_upsampling": True, "context": 4, "pyramid": 2}),
        ("fcn4s-mobilenetv3_small_050", {}),
    ],
)
def test_graphs_for_any_size_have_the_networks_scores(name, settings, tmp_path):
    network = export_models.network(name, **settings)
    assert export_models.max_difference(network, run(network, tmp_path)) < 1e-5


def test_backbones_that_need_a_least_size_are_equal_from_there_on(tmp_path):
    network = export_models.network("fcn8s-squeezenet1_1")
    assert network.backbone.smallest > network.backbone.stride
    assert export_models.max_difference(network, run(network, tmp_path), sizes=[(33, 47)]) < 1e-5


def test_a_graph_for_one_size_computes_no_sizes(tmp_path):
    network = export_models.network(padding=100)
    found = run(network, tmp_path, (40, 56))
    assert export_models.max_difference(network, found, sizes=[(40, 56)], count=1) < 1e-5
    kinds = {node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node}
    assert not kinds & {"Shape", "Mod"}


class Paddings(nn.Module):
    """Paddings by zeros before convolutions, and others, which stay."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.first = nn.Conv2d(3, 4, 3, 1, padding=(0, 1))
        self.second = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image):
        x = self.first(F.pad(image, (2, 1, 1, 3)))
        x = self.second(F.pad(x, (1, 1, 1, 1), value=0.5)) - F.pad(self.second(x), (1, 1, 1, 1))
        return x[..., :9, :11]


def test_convolutions_add_the_zeros_of_paddings_before_them(tmp_path):
    network = Paddings().eval()
    image = torch.rand(1, 3, 9, 11)
    found = torch.from_numpy(run(network, tmp_path, (9, 11))(image.numpy()))
    with torch.no_grad():
        assert (found - network(image)).abs().max() < 1e-5
    nodes = onnx.load(tmp_path / "network.onnx").graph.node
    pads = [
        list(onnx.helper.get_node_attr_value(node, "pads"))
        for node in nodes
        if node.op_type == "Conv"
    ]
    assert pads == [[1, 3, 3, 2], [1, 1, 1, 1], [1, 1, 1, 1]]  # rows, columns: before, then after
    assert sum(node.op_type == "Pad" for node in nodes) == 2


class Functions(nn.Module):
    """What backbones of other libraries are made of, in one network."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.widen = nn.Conv2d(3, 12, 3, 2, padding=1, bias=False)
        self.norm, self.layer_norm = nn.BatchNorm2d(12), nn.LayerNorm(12)
        self.linear, self.back = nn.Linear(12, 12), nn.ConvTranspose2d(6, 3, 4, 2, 1)
        self.norm.running_mean.normal_()
        self.gate = nn.Conv2d(12, 12, 1)

    def forward(self, image):
        x = self.norm(self.widen(image / 255))
        batch, channels, height, width = x.shape
        x = x.view(batch, 3, channels // 3, height, width).transpose(1, 2).contiguous()
        x = F.hardswish(x.view(batch, channels, height, width))
        last = x.permute(0, 2, 3, 1)
        last = F.gelu(self.linear(self.layer_norm(last))) + last.norm(p=2, dim=(1, 2), keepdim=True)
        x = last.permute(0, 3, 1, 2)
        x = x * F.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = x * F.adaptive_avg_pool2d(x, 1).sigmoid() + F.silu(x) - F.leaky_relu(x, 0.1)
        left, right = x.chunk(2, 1)
        joined = torch.cat([left.clamp(-1, 2), F.elu(right), F.relu6(left)[:, 1:3]], 1)
        joined = F.avg_pool2d(F.max_pool2d(joined, 3, 1, 1), 3, 1, 1, count_include_pad=False)
        score = self.back(joined[:, :6].flip(1))
        size = [height // 2 + 1, -(-width // 2)]
        small = F.interpolate(score, size, mode="bilinear", align_corners=False)
        small = F.pad(small, (1, 1, 1, 1), mode="replicate").softmax(1)
        return F.interpolate(small, image.shape[-2:], mode="bilinear", align_corners=True)


def test_each_function_means_the_same_in_onnx(tmp_path):
    network = Functions().eval()
    found = run(network, tmp_path)
    assert export_models.max_difference(network, found, sizes=[(9, 14), (30, 17)]) < 1e-5
    kinds = [node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node]
    assert "BatchNormalization" not in kinds, "it is in the convolution's weights"


def test_equal_networks_give_equal_files(tmp_path):
    network, files = export_models.network(), [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for file in files:
        save_onnx(network, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    names = [weight.name for weight in onnx.load(files[0]).graph.initializer]
    assert "backbone.conv1_1.weight" in names and "score_fr.bias" in names


def test_unknown_functions_are_left_to_pytorchs_exporter(monkeypatch, tmp_path):
    network = make_portable(export_models.network(upsampling="unpooling"))
    with pytest.raises(ExportError, match="calls Unpool, for which there is no rule"):
        save_onnx(network, tmp_path / "x.onnx", patient=False)
    monkeypatch.setattr(
        onnx_graph, "exported_graph", lambda *_: write_calls(export_models.network())
    )
    save_onnx(network, tmp_path / "x.onnx")
    assert (tmp_path / "x.onnx").exists()
