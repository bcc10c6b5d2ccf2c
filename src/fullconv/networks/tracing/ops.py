"""The PyTorch functions that networks are made of, by kind: one table for tracing and streaming.

Each kind has a rule in `tracing.rules`, which says how the function changes receptive fields, and
one in `inference.streaming.ops`, which says how to compute it on a part of its input.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import Tensor

from fullconv.networks.geometry import SlidingWindow, leading_padding


class OpKind(StrEnum):
    """What a function does to the positions of a feature map."""

    POINTWISE = "pointwise"
    DROPOUT = "dropout"
    CHANNELS = "channels"  # mixes the channels of each position
    SOFTMAX = "softmax"
    REDUCTION = "reduction"
    GLOBAL_NORM = "global norm"
    MATMUL = "matrix product"
    ATTENTION = "attention"
    CONVOLUTION = "convolution"
    MAX_POOLING = "max pooling"
    AVERAGE_POOLING = "average pooling"
    INDEXED_POOLING = "max pooling with indices"
    ADAPTIVE_POOLING = "adaptive pooling"
    TRANSPOSED_CONVOLUTION = "transposed convolution"
    INTERPOLATION = "interpolation"
    UNPOOLING = "unpooling"
    PADDING = "padding"
    INDEXING = "indexing"
    VIEW = "view"
    EXPAND = "expand"
    REORDER = "reorder"
    JOIN = "join or split"
    FLIP = "flip"


_NAMES = {
    # Operators such as + call add; only the names that PyTorch reports are listed.
    OpKind.POINTWISE: (
        "add sub rsub mul div neg pow sqrt rsqrt reciprocal exp log abs square sign sin cos "
        "clamp clamp_min clamp_max where maximum minimum addcmul addcdiv lerp "
        "gt lt ge le eq ne __eq__ __rsub__ __rdiv__ __rpow__ "
        "add_ sub_ mul_ div_ neg_ clamp_ sqrt_ exp_ "
        "relu relu_ relu6 hardtanh hardtanh_ hardswish hardsigmoid sigmoid sigmoid_ log_sigmoid "
        "silu gelu leaky_relu leaky_relu_ elu selu celu mish tanh tanh_ softplus softsign "
        "contiguous clone detach to float double half bfloat16 type type_as data"
    ),
    OpKind.DROPOUT: "dropout dropout2d feature_dropout alpha_dropout",
    OpKind.CHANNELS: (
        "batch_norm local_response_norm layer_norm rms_norm normalize linear prelu channel_shuffle"
    ),
    OpKind.SOFTMAX: "softmax log_softmax",
    OpKind.REDUCTION: "mean sum norm linalg_vector_norm amax amin max min var std",
    OpKind.GLOBAL_NORM: "group_norm instance_norm",
    OpKind.MATMUL: "matmul __rmatmul__ bmm einsum baddbmm",
    OpKind.ATTENTION: "scaled_dot_product_attention multi_head_attention_forward",
    OpKind.CONVOLUTION: "conv2d",
    OpKind.MAX_POOLING: "max_pool2d",
    OpKind.AVERAGE_POOLING: "avg_pool2d",
    OpKind.INDEXED_POOLING: "max_pool2d_with_indices",
    OpKind.ADAPTIVE_POOLING: (
        "adaptive_avg_pool2d adaptive_max_pool2d adaptive_max_pool2d_with_indices"
    ),
    OpKind.TRANSPOSED_CONVOLUTION: "conv_transpose2d",
    OpKind.INTERPOLATION: "interpolate",
    OpKind.UNPOOLING: "Unpool",  # a layer of ours that is recorded as one op
    OpKind.PADDING: "pad",
    OpKind.INDEXING: "__getitem__",
    OpKind.VIEW: "view reshape flatten unflatten squeeze unsqueeze view_as reshape_as",
    OpKind.EXPAND: "expand expand_as",
    OpKind.REORDER: "permute transpose swapaxes movedim mT",
    OpKind.JOIN: "cat stack chunk split unbind",
    OpKind.FLIP: "flip",
}
OP_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}


class UnsupportedOpError(Exception):
    """An op that a rule cannot handle; the message is a verb phrase, such as "calls roll"."""


@dataclass(frozen=True)
class OpCall:
    """One call of a PyTorch function.

    Attributes:
        function: the function, or a module that is recorded as one op.
        result: what it returned.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None

    @property
    def kind(self) -> OpKind | None:
        """The kind of the function; None if it is unknown."""
        if self.name in ("max", "min"):
            other = self.argument(1, "other")
            if other is not None and not isinstance(other, int):
                return OpKind.POINTWISE  # the larger of two tensors
        return OP_KINDS.get(self.name)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or its name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def pair(self, position: int, name: str, default: Any = None) -> tuple[int, int]:
        """Return an argument for rows and columns: one whole number for both, or two.

        Raises:
            UnsupportedOpError: it is anything else.
        """
        value = self.argument(position, name, default)
        values = tuple(value) if isinstance(value, tuple | list) else (value,)
        if not all(type(number) is int for number in values):
            raise UnsupportedOpError(f"calls {self.name} with {name}={value!r}")
        return values[0], values[-1]

    def mixed_dims(self, rank: int) -> tuple[int, ...]:
        """Return the dimensions along which an output depends on several inputs.

        Args:
            rank: number of dimensions of the first tensor.
        """
        if self.name in ("layer_norm", "rms_norm"):
            dims = range(-len(self.argument(1, "normalized_shape")), 0)
            return tuple(dim % rank for dim in dims)
        if self.name == "linear":
            return (rank - 1,)
        if self.kind is OpKind.CHANNELS and self.name != "normalize":
            return (1,)
        position = 2 if self.name in ("norm", "linalg_vector_norm", "normalize") else 1
        dims = self.argument(position, "dim", 1 if self.name == "normalize" else None)
        if dims is None:
            return tuple(range(rank))
        return tuple(dim % rank for dim in ([dims] if isinstance(dims, int) else dims))

    def windows(self) -> tuple[SlidingWindow, SlidingWindow]:
        """Return the windows of a convolution, pooling or transposed convolution.

        Raises:
            UnsupportedOpError: a setting is not a whole number.
        """
        dilation, ceil = (1, 1), False
        if self.name in ("conv2d", "conv_transpose2d"):
            weight = self.argument(1, "weight")
            kernel = int(weight.shape[-2]), int(weight.shape[-1])
            stride = self.pair(3, "stride", 1)
            dilation = self.pair(5 if self.name == "conv2d" else 7, "dilation", 1)
            padding_position = 4
        else:
            kernel = self.pair(1, "kernel_size")
            stride = self.pair(2, "stride") if self.argument(2, "stride") else kernel
            is_max = self.name.startswith("max_pool2d")
            dilation = self.pair(4, "dilation", 1) if is_max else dilation
            ceil = bool(self.argument(5 if is_max else 4, "ceil_mode", False))
            padding_position = 3
        padding: Any = self.argument(padding_position, "padding", 0)
        if not isinstance(padding, str):
            padding = self.pair(padding_position, "padding", 0)
        pads = padding if isinstance(padding, tuple) else (padding, padding)
        rows, columns = (
            SlidingWindow(size, step, leading_padding(pad, size, gap), gap, ceil)
            for size, step, pad, gap in zip(kernel, stride, pads, dilation, strict=True)
        )
        return rows, columns


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))
