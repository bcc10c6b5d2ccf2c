"""One call of one of PyTorch's functions, and what its result sees of the image by that.

No class of layer is known here, only functions: those that leave pixels where they are, windows,
paddings, and what gives places up. Where another one moves pixels to is said to be unknown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from fullconv.networks.tracing.spans import NOWHERE, PixelExtent


@dataclass(frozen=True)
class Call:
    """One call of one of PyTorch's functions, and one tensor of what it returned."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Tensor

    @property
    def given(self) -> Tensor:
        """The first tensor that it was given."""
        return next(tensors_in((self.args, self.kwargs)))

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def reduces_places(self) -> bool:
        """Whether its `dim` names rows or columns: the last two, or (1, 2) of channels-last."""
        position = 2 if self.name == "norm" else 1
        dims = self.argument(position, "dim")
        if dims is None:
            return True
        dims = [dims] if isinstance(dims, int) else dims
        count = self.given.dim()
        return count < 4 or any(dim % count >= count - 2 for dim in dims)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))


Rule = Callable[[Call, PixelExtent], PixelExtent]

ATTENTION = {
    *("matmul", "__matmul__", "bmm", "einsum", "baddbmm", "softmax"),
    *("scaled_dot_product_attention", "multi_head_attention_forward"),
}
# Every output pixel comes from the input pixel of the same place.
_SUMS = "add add_ addcmul sub sub_ rsub mul mul_ div div_ neg pow sqrt exp abs clamp where"
_OPERATORS = "__add__ __radd__ __iadd__ __sub__ __rsub__ __mul__ __rmul__ __imul__ __truediv__"
_ACTIVATIONS = (
    "relu relu_ relu6 hardtanh hardtanh_ hardswish hardswish_ hardsigmoid hardsigmoid_ sigmoid "
    "sigmoid_ silu silu_ gelu leaky_relu leaky_relu_ elu mish tanh prelu softplus"
)
_ACROSS_MAPS = "batch_norm layer_norm rms_norm local_response_norm normalize linear dropout"
_ARRANGED = (
    "cat stack chunk split unbind flatten unflatten view view_as reshape reshape_as permute "
    "transpose swapaxes movedim squeeze unsqueeze expand expand_as contiguous clone detach to "
    "float type type_as channel_shuffle _assert size dim __get__"
)
PLAIN = frozenset(f"{_SUMS} {_OPERATORS} {_ACTIVATIONS}".split())
POINTWISE = PLAIN | set(f"{_ACROSS_MAPS} {_ARRANGED}".split())


def pointwise(call: Call, sight: PixelExtent) -> PixelExtent:
    """What is left where it is, if the function is known to do that."""
    if call.name in POINTWISE or sight.rows is None:
        return sight
    problem = f"where {call.name} moves pixels to is not known"
    return replace(sight, problem=sight.problem or problem)


def _window(call: Call, sight: PixelExtent) -> PixelExtent:
    if sight.rows is None or sight.columns is None:
        return sight
    if call.name == "conv2d":
        kernel = call.argument(1, "weight").shape[-2:]
        stride, padding, dilation = (
            call.argument(3, "stride", 1),
            call.argument(4, "padding", 0),
            call.argument(5, "dilation", 1),
        )
    else:
        kernel = _pair(call.argument(1, "kernel_size"))
        stride, padding = call.argument(2, "stride") or kernel, call.argument(3, "padding", 0)
        dilation = call.argument(4, "dilation", 1) if call.name.startswith("max_pool2d") else 1
    steps, gaps = _pair(stride), _pair(dilation)
    if isinstance(padding, str):
        reach = [gap * (size - 1) for gap, size in zip(gaps, kernel, strict=True)]
        padding = [total // 2 if padding == "same" else 0 for total in reach]
    around = _pair(padding)
    return replace(
        sight,
        rows=sight.rows.window(kernel[0], steps[0], around[0], gaps[0]),
        columns=sight.columns.window(kernel[1], steps[1], around[1], gaps[1]),
    )


def _pad(call: Call, sight: PixelExtent) -> PixelExtent:
    if sight.rows is None or sight.columns is None:
        return sight
    before = [*call.argument(1, "pad")[::2], 0, 0]
    return replace(
        sight,
        rows=sight.rows.window(1, 1, before[1], 1),
        columns=sight.columns.window(1, 1, before[0], 1),
    )


def _pooled(call: Call, sight: PixelExtent) -> PixelExtent:
    return sight if call.result.shape == call.given.shape else NOWHERE


def _reduced(call: Call, sight: PixelExtent) -> PixelExtent:
    return NOWHERE if call.reduces_places else sight


def grouped(call: Call, sight: PixelExtent) -> PixelExtent:
    """What every place sees after a norm over whole maps."""
    return replace(sight, bounded=False)  # its mean and variance are those of whole maps


def _taken(call: Call, sight: PixelExtent) -> PixelExtent:
    before, after = call.given.shape, call.result.shape
    if call.result.dim() >= 3 and before[-2:] != after[-2:]:
        return replace(sight, problem=sight.problem or "pixels are picked by their index")
    return sight


RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv2d", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d"), _window),
    "pad": _pad,
    **dict.fromkeys(
        ("adaptive_avg_pool2d", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices"), _pooled
    ),
    **dict.fromkeys(("mean", "sum", "norm", "amax", "max", "var", "std"), _reduced),
    **dict.fromkeys(("group_norm", "instance_norm"), grouped),
    "__getitem__": _taken,
}


def _pair(value: Any) -> tuple[int, int]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return int(values[0]), int(values[-1])
