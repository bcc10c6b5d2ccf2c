"""Where the pixels of any network's features lie: an image is followed through it, call by call.

`geometry` composes the layers of a chain. Other people's networks have branches, paddings inside
their forward, layers of their own; what they all do in the end is call PyTorch's functions. Those
are watched here on tensors without numbers, so that no class of layer needs to be known.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.errors import GeometryError
from fullconv.networks.tracing.ops import ATTENTION, RULES, Call, grouped, pointwise, tensors_in
from fullconv.networks.tracing.spans import PixelExtent, join


@dataclass
class ModuleCall:
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
    inside: list["ModuleCall"] = field(default_factory=list)


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
        self.top = ModuleCall("")
        self.whole: dict[str, None] = {}
        self.attention: dict[str, None] = {}
        self._open = [self.top]
        # The tensors are kept, or another one could get the same id.
        self._seen: dict[int, tuple[Tensor, PixelExtent]] = {id(image): (image, PixelExtent())}

    def sight(self, tensor: Any) -> PixelExtent | None:
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

    def _through(self, call: Call, given: list[PixelExtent]) -> PixelExtent:
        here = self._open[-1].name
        together = join(given)
        if call.name in ATTENTION and (len(given) > 1 or call.name == "softmax"):
            if call.name != "softmax" or call.reduces_places:
                self.attention.setdefault(here)
            return replace(together, bounded=False)
        rule = RULES.get(call.name)
        found = rule(call, together) if rule else pointwise(call, together)
        if found.rows and (rule is grouped or any(sight.rows is None for sight in given)):
            self.whole.setdefault(here)
        return found

    def enter(self, name: str, given: Any) -> None:
        """A module begins."""
        visit = ModuleCall(name, given)
        self._open[-1].inside.append(visit)
        self._open.append(visit)

    def leave(self, result: Any) -> None:
        """The module ends."""
        self._open.pop().result = result


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
