"""Every function of the op table can be traced and streamed, or is refused with a reason."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.errors import GeometryError
from fullconv.inference.streaming.graph import record_ops
from fullconv.inference.streaming.ops import rules
from fullconv.networks.backbones import TracedBackbone
from fullconv.networks.fcn import FCN
from fullconv.networks.layers import Unpool
from fullconv.networks.tracing.copies import meta_copy
from fullconv.networks.tracing.ops import OP_KINDS, OpKind
from fullconv.networks.tracing.recorder import FunctionRecorder, run_recorded
from fullconv.networks.tracing.trace import trace
from random_networks import in_strips

HEIGHT, WIDTH = 16, 12


def words(text):
    return text.split()


METHODS = words(
    "neg sqrt rsqrt reciprocal exp log abs square sign sin cos neg_ sqrt_ exp_ sigmoid sigmoid_ "
    "tanh tanh_ relu relu_ contiguous clone detach float double half bfloat16"
)
ACTIVATIONS = words(
    "relu6 hardtanh hardtanh_ hardswish hardsigmoid silu gelu leaky_relu leaky_relu_ elu selu "
    "celu mish softplus softsign"
)
WITH_A_NUMBER = words("__rsub__ __rdiv__ __rpow__ gt lt ge le eq ne __eq__")
WITH_A_MAP = words("add sub mul div pow maximum minimum add_ sub_ mul_ div_ type_as")


def channels_last(x, function):
    return function(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def rows_first(x):
    return x.squeeze(0)  # (4, H, W)


SAMPLES = {
    **{name: (lambda x, w, name=name: getattr(x, name)()) for name in METHODS},
    **{name: (lambda x, w, name=name: getattr(F, name)(x)) for name in ACTIVATIONS},
    **{name: (lambda x, w, name=name: getattr(x, name)(2)) for name in WITH_A_NUMBER},
    **{name: (lambda x, w, name=name: getattr(x, name)(x * 0.5 + 1)) for name in WITH_A_MAP},
    "log_sigmoid": lambda x, w: F.logsigmoid(x),
    "rsub": lambda x, w: torch.rsub(x, 2),
    "clamp": lambda x, w: x.clamp(0.5, 1),
    "clamp_": lambda x, w: x.clamp_(0.5, 1),
    "clamp_min": lambda x, w: x.clamp_min(0.5),
    "clamp_max": lambda x, w: x.clamp_max(0.5),
    "where": lambda x, w: torch.where(x > 0.5, x, x * 2),
    "addcmul": lambda x, w: torch.addcmul(x, x, x),
    "addcdiv": lambda x, w: torch.addcdiv(x, x, x + 1),
    "lerp": lambda x, w: torch.lerp(x, x * 2, 0.25),
    "prelu": lambda x, w: F.prelu(x, w[:, 0, 0, 0]),
    "to": lambda x, w: x.to(torch.float64),
    "type": lambda x, w: x.type(torch.float64),
    "data": lambda x, w: x.data,
    "dropout": lambda x, w: F.dropout(x, 0.5, training=False),
    "dropout2d": lambda x, w: F.dropout2d(x, 0.5, training=False),
    "feature_dropout": lambda x, w: torch.feature_dropout(x, 0.5, False),
    "alpha_dropout": lambda x, w: F.alpha_dropout(x, 0.5, training=False),
    "batch_norm": lambda x, w: F.batch_norm(x, w[:, 0, 0, 0], w[:, 0, 0, 0].square() + 1),
    "local_response_norm": lambda x, w: F.local_response_norm(x, 3),
    "layer_norm": lambda x, w: channels_last(x, lambda y: F.layer_norm(y, (4,))),
    "rms_norm": lambda x, w: channels_last(x, lambda y: F.rms_norm(y, (4,))),
    "normalize": lambda x, w: F.normalize(x, dim=1),
    "linear": lambda x, w: channels_last(x, lambda y: F.linear(y, w[..., 0, 0])),
    "channel_shuffle": lambda x, w: F.channel_shuffle(x, 2),
    "softmax": lambda x, w: x.softmax(1),
    "log_softmax": lambda x, w: F.log_softmax(x, 1),
    **{
        name: (lambda x, w, name=name: getattr(x, name)(1, keepdim=True))
        for name in ("mean", "sum", "amax", "amin", "var", "std")
    },
    "norm": lambda x, w: x.norm(2, 1, keepdim=True),
    "linalg_vector_norm": lambda x, w: torch.linalg.vector_norm(x, 2, 1, keepdim=True),
    "max": lambda x, w: x.max(1, keepdim=True)[0],
    "min": lambda x, w: x.min(1, keepdim=True)[0],
    "group_norm": lambda x, w: F.group_norm(x, 2),
    "instance_norm": lambda x, w: F.instance_norm(x),
    "matmul": lambda x, w: torch.matmul(x, x.transpose(2, 3)),
    "__rmatmul__": lambda x, w: x.__rmatmul__(x.transpose(2, 3)),
    "bmm": lambda x, w: torch.bmm(rows_first(x), rows_first(x).transpose(1, 2)),
    "einsum": lambda x, w: torch.einsum("bchw,bcvw->bchv", x, x),
    "baddbmm": lambda x, w: torch.baddbmm(
        w[:, :1, :1, 0], rows_first(x), rows_first(x).transpose(1, 2)
    ),
    "scaled_dot_product_attention": lambda x, w: F.scaled_dot_product_attention(x, x, x),
    "multi_head_attention_forward": lambda x, w: F.multi_head_attention_forward(
        *(rows_first(x),) * 3,
        WIDTH,
        1,
        *(w.new_ones(3 * WIDTH, WIDTH), None, None, None, False, 0.0),
        w.new_ones(WIDTH, WIDTH),
        None,
        training=False,
        need_weights=False,
    )[0],
    "conv2d": lambda x, w: F.conv2d(x, w, stride=2, padding=1),
    "max_pool2d": lambda x, w: F.max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda x, w: F.avg_pool2d(x, 2),
    "max_pool2d_with_indices": lambda x, w: F.max_pool2d_with_indices(x, [2, 2])[0],
    "adaptive_avg_pool2d": lambda x, w: F.adaptive_avg_pool2d(x, 1),
    "adaptive_max_pool2d": lambda x, w: F.adaptive_max_pool2d(x, 1),
    "adaptive_max_pool2d_with_indices": lambda x, w: F.adaptive_max_pool2d_with_indices(x, 1)[0],
    "conv_transpose2d": lambda x, w: F.conv_transpose2d(x, w, stride=2),
    "interpolate": lambda x, w: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "Unpool": None,  # a module; see `Sample`
    "pad": lambda x, w: F.pad(x, (1, 2, 0, 3)),
    "__getitem__": lambda x, w: x[:, 1:3],
    "view": lambda x, w: x.view(1, 2, 2, *x.shape[2:]).view(x.shape),
    "reshape": lambda x, w: x.reshape(1, 1, 4, *x.shape[2:]).reshape(x.shape),
    "flatten": lambda x, w: x.flatten(0, 1).unsqueeze(0),
    "unflatten": lambda x, w: x.unflatten(1, (2, 2)).flatten(1, 2),
    "squeeze": lambda x, w: x.squeeze(0).unsqueeze(0),
    "unsqueeze": lambda x, w: x.unsqueeze(1).squeeze(1),
    "view_as": lambda x, w: x.view_as(x),
    "reshape_as": lambda x, w: x.reshape_as(x),
    "expand": lambda x, w: x.mean(1, keepdim=True).expand(-1, 4, -1, -1),
    "expand_as": lambda x, w: x.mean(1, keepdim=True).expand_as(x),
    "permute": lambda x, w: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    "transpose": lambda x, w: x.transpose(1, 2).transpose(1, 2),
    "swapaxes": lambda x, w: x.swapaxes(1, 3).swapaxes(1, 3),
    "movedim": lambda x, w: x.movedim(1, -1).movedim(-1, 1),
    "mT": lambda x, w: x.mT.mT,
    "cat": lambda x, w: torch.cat([x, x], 1),
    "stack": lambda x, w: torch.stack([x, x], 1)[:, 0],
    "chunk": lambda x, w: x.chunk(2, 1)[1],
    "split": lambda x, w: x.split([1, 3], 1)[1],
    "unbind": lambda x, w: x.unbind(1)[0].unsqueeze(1),
    "flip": lambda x, w: x.flip(1),
}
# On a part of an image these cannot be computed, or would need the whole of it.
NOT_STREAMED = {
    OpKind.GLOBAL_NORM: "normalizes over the whole image",
    OpKind.MATMUL: "multiplies positions over the whole image",
    OpKind.ATTENTION: "attends over the whole image",
    OpKind.ADAPTIVE_POOLING: "pools over the whole image",
    OpKind.INDEXED_POOLING: "indices of maxima",
    "stack": "changes the number of dimensions",
    "unbind": "changes the number of dimensions",
}
ENLARGES = (OpKind.TRANSPOSED_CONVOLUTION, OpKind.INTERPOLATION, OpKind.UNPOOLING)


class Sample(nn.Module):
    """A convolution of an RGB image, and a function of the four maps and a weight."""

    def __init__(self, name):
        super().__init__()
        self.function = SAMPLES[name]
        self.conv = nn.Conv2d(3, 4, 1)
        self.weight = nn.Parameter(torch.rand(4, 4, 3, 3))
        if self.function is None:
            self.pool = nn.MaxPool2d(2)
            self.unpool = Unpool(self.pool)

    def forward(self, x):
        x = self.conv(x).square() + 0.1
        return self.function(x, self.weight) if self.function else self.unpool(self.pool(x), x)


class Names(FunctionRecorder):
    """Record the names of all functions."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def record(self, call):
        self.names.add(call.name)


def test_the_table_and_the_rules_and_the_samples_are_complete():
    assert set(SAMPLES) == set(OP_KINDS)
    assert set(rules) == set(OpKind)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_function_is_traced(name):
    sample = Sample(name).eval()
    names = Names()
    run_recorded(meta_copy(sample), torch.empty(1, 3, HEIGHT, WIDTH, device="meta"), names)
    assert name in names.names
    record = trace(sample, HEIGHT, WIDTH)
    extent = record.extent(record.root.output)
    assert bool(extent.problem) == (OP_KINDS[name] in ENLARGES), extent.problem
    assert (extent.rows is None) == (OP_KINDS[name] is OpKind.ADAPTIVE_POOLING)
    assert bool(record.attention) == (OP_KINDS[name] in (OpKind.MATMUL, OpKind.ATTENTION))


@pytest.mark.parametrize("name", SAMPLES)
def test_each_function_is_streamed_or_refused(name):
    torch.manual_seed(0)
    sample = Sample(name).eval()
    refusal = NOT_STREAMED.get(name) or NOT_STREAMED.get(OP_KINDS[name])
    if refusal:
        with pytest.raises(GeometryError, match=refusal):
            record_ops(sample, (HEIGHT, WIDTH))
        return
    assert name in {op.name for op in record_ops(sample, (HEIGHT, WIDTH)).ops}
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        expected = sample(image)
    strips, _ = in_strips(sample, image, 3)
    assert strips.dtype == expected.dtype and strips.shape == expected.shape
    torch.testing.assert_close(strips, expected, rtol=2e-6, atol=2e-6)


class Modern(nn.Module):
    """A classifier whose blocks call `maximum`, `rsqrt`, `addcmul` and `rms_norm`."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.block = Block()
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.block(self.stem(x)).mean((2, 3)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, 2, 1)

    def forward(self, x):
        x = self.conv(x)
        x = torch.maximum(x, -x) * torch.rsqrt(x.square() + 1)
        x = torch.addcmul(x, x, x)
        return channels_last(x, lambda y: F.rms_norm(y, (8,)))


@torch.no_grad()
def test_a_backbone_that_can_be_traced_can_be_streamed():
    torch.manual_seed(0)
    network = FCN(TracedBackbone(Modern(), "modern"), 3).eval()
    nn.init.normal_(network.score_fr.weight)
    assert network.feature_info()[network.top].field.stride == 8
    image = torch.rand(1, 3, 61, 45) * 255
    expected = network(image)
    strips, _ = in_strips(network, image, 8)
    assert (strips - expected).abs().max() <= 1e-5 * expected.abs().max()
