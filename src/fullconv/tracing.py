"""Where the pixels of any network's features lie: an image is followed through it, call by call.

`geometry` composes the layers of a chain. Other people's networks have branches, paddings inside
their forward, layers of their own; what they all do in the end is call PyTorch's functions. Those
are watched here on tensors without numbers, so that no class of layer needs to be known.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.errors import GeometryError
from fullconv.sights import NOWHERE, Sight, join


@dataclass
class Visit:
    """One call of one module.

    Attributes:
        name: of the module; "" is the whole network.
        given: its first argument.
        result: what it returned.
        inside: the calls of modules that it made, in their order.
    """

    name: str
    given: Any = None
    result: Any = None
    inside: list["Visit"] = field(default_factory=list)


class Trace(TorchFunctionMode):
    """One image's way through a network; see `trace`.

    Attributes:
        image: what was given to the network.
        whole: modules that let the whole image into every pixel, in their order.
        attention: modules in which positions are multiplied with positions.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image
        self.top = Visit("")
        self.whole: dict[str, None] = {}
        self.attention: dict[str, None] = {}
        self._open = [self.top]
        # The tensors are kept, or another one could get the same id.
        self._seen: dict[int, tuple[Tensor, Sight]] = {id(image): (image, Sight())}

    def sight(self, tensor: Any) -> Sight | None:
        """What a tensor of this run sees; None for weights and other constants."""
        return self._seen.get(id(tensor), (None, None))[1]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one of PyTorch's functions and note what its result sees."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = [sight for value in tensors_in((args, kwargs)) if (sight := self.sight(value))]
        if given:
            name = getattr(func, "__name__", str(func))
            for tensor in tensors_in(result):
                call = Call(name, args, kwargs, tensor)
                self._seen[id(tensor)] = (tensor, self._through(call, given))
        return result

    def _through(self, call: "Call", given: list[Sight]) -> Sight:
        here = self._open[-1].name
        together = join(given)
        if call.name in ATTENTION and (len(given) > 1 or call.name == "softmax"):
            if call.name != "softmax" or call.reduces_places:
                self.attention.setdefault(here)
            return replace(together, bounded=False)
        rule = RULES.get(call.name)
        found = rule(call, together) if rule else _pointwise(call, together)
        if found.rows and (rule is _grouped or any(sight.rows is None for sight in given)):
            self.whole.setdefault(here)
        return found

    def enter(self, name: str, given: Any) -> None:
        """A module begins."""
        visit = Visit(name, given)
        self._open[-1].inside.append(visit)
        self._open.append(visit)

    def leave(self, result: Any) -> None:
        """The module ends."""
        self._open.pop().result = result


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


Rule = Callable[[Call, Sight], Sight]

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


def _pointwise(call: Call, sight: Sight) -> Sight:
    if call.name in POINTWISE or sight.rows is None:
        return sight
    problem = f"where {call.name} moves pixels to is not known"
    return replace(sight, problem=sight.problem or problem)


def _window(call: Call, sight: Sight) -> Sight:
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


def _pad(call: Call, sight: Sight) -> Sight:
    if sight.rows is None or sight.columns is None:
        return sight
    before = [*call.argument(1, "pad")[::2], 0, 0]
    return replace(
        sight,
        rows=sight.rows.window(1, 1, before[1], 1),
        columns=sight.columns.window(1, 1, before[0], 1),
    )


def _pooled(call: Call, sight: Sight) -> Sight:
    return sight if call.result.shape == call.given.shape else NOWHERE


def _reduced(call: Call, sight: Sight) -> Sight:
    return NOWHERE if call.reduces_places else sight


def _grouped(call: Call, sight: Sight) -> Sight:
    return replace(sight, bounded=False)  # its mean and variance are those of whole maps


def _taken(call: Call, sight: Sight) -> Sight:
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
    **dict.fromkeys(("group_norm", "instance_norm"), _grouped),
    "__getitem__": _taken,
}


def _pair(value: Any) -> tuple[int, int]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return int(values[0]), int(values[-1])


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))


def trace(network: nn.Module, height: int, width: int) -> Trace:
    """Follow an image of `height` x `width` through a network, in evaluation mode.

    Only shapes are computed, whatever device the network is on; the network is left as it was.

    Raises:
        GeometryError: it does not run on an image of this size.
    """
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: tensor.detach().to("meta") for name, tensor in state.items()}
    image = torch.empty(1, 3, height, width, device="meta", dtype=next(iter(shapes.values())).dtype)
    found = Trace(image)
    with watched(network, found), evaluating(network), torch.no_grad(), found:
        try:
            found.top.result = torch.func.functional_call(network, shapes, (image,))
        except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
            # A rewritten forward puts the names of its steps where numbers were.
            reason = re.sub(r" \(Proxy\(\w+\)\)", "", str(error).partition("\n")[0])
            raise GeometryError(
                f"it does not run on an image of {height} x {width}: {reason}"
            ) from error
    return found


@contextmanager
def watched(network: nn.Module, trace: Trace) -> Iterator[None]:
    """Let `trace` know when each module of the network begins and ends."""
    hooks = []
    for name, module in network.named_modules():
        if name:
            begin = lambda _, given, name=name: trace.enter(name, given[0] if given else None)  # noqa: E731
            hooks.append(module.register_forward_pre_hook(begin))
            hooks.append(module.register_forward_hook(lambda _, given, result: trace.leave(result)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every module is in its own mode again."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
