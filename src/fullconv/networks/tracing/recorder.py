"""Run a network on tensors without data and record every PyTorch function it calls."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.errors import GeometryError
from fullconv.networks.layers import Unpool
from fullconv.networks.tracing.copies import RunCopy
from fullconv.networks.tracing.ops import OpCall

Fact = TypeVar("Fact")
ATOMS = (Unpool,)  # modules that are recorded as one op, whatever functions they call


class FunctionRecorder(TorchFunctionMode, Generic[Fact]):
    """Record PyTorch function calls, with one fact about each tensor that is computed.

    Subclasses implement `record`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open_modules: list[str] = []
        self._atom_depth = 0
        # The tensors are kept alive, or another one could get the same id.
        self._facts: dict[int, tuple[Tensor, Fact]] = {}

    def record(self, call: OpCall) -> None:
        """Record one call, after it has run."""
        raise NotImplementedError

    def fact(self, tensor: Any) -> Fact | None:
        """Return what is known of a tensor; None for weights and constants."""
        return self._facts.get(id(tensor), (None, None))[1]

    def remember(self, tensor: Tensor, fact: Fact) -> None:
        """Store what is known of a tensor."""
        self._facts[id(tensor)] = (tensor, fact)

    @property
    def module(self) -> str:
        """Name of the innermost module that is running; "" for the network itself."""
        return self.open_modules[-1] if self.open_modules else ""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function and record it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self._atom_depth:
            self.record(OpCall(name_of(func), func, args, kwargs, result))
        return result

    def enter_module(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Note that a module starts to run."""
        self.open_modules.append(name)
        self._atom_depth += isinstance(module, ATOMS)

    def leave_module(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Note that the innermost module has run; record it if it counts as one op."""
        if isinstance(module, ATOMS):
            self._atom_depth -= 1
            if not self._atom_depth:
                self.record(OpCall(type(module).__name__, module, tuple(args), kwargs, result))
        self.open_modules.pop()


def run_recorded(copy: RunCopy, image: Tensor, recorder: FunctionRecorder[Any]) -> Any:
    """Run a network on an image without data, in evaluation mode.

    Args:
        copy: of the network, for this run alone.
        image: from `copy.image`.
        recorder: records all functions.

    Raises:
        GeometryError: the network does not run on an image of this size.
    """
    with _module_hooks(copy.network, recorder), torch.no_grad(), recorder:
        try:
            return copy.network(image)
        except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
            # A forward rewritten by torch.fx prints its nodes' names beside the numbers.
            reason = re.sub(r" \(Proxy\(\w+\)\)", "", str(error).partition("\n")[0])
            height, width = image.shape[-2:]
            raise GeometryError(
                f"it does not run on an image of {height} x {width}: {reason}"
            ) from error


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode; afterwards every module is in its previous mode again."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _module_hooks(network: nn.Module, recorder: FunctionRecorder[Any]) -> Iterator[None]:
    """Tell the recorder of modules that run; atoms are called again later, without the hooks."""

    def entering(name: str) -> Callable[..., None]:
        return lambda module, args: recorder.enter_module(name, module, args)

    hooks = []
    for name, module in network.named_modules():
        if name or isinstance(module, ATOMS):
            hooks.append(module.register_forward_pre_hook(entering(name)))
            hooks.append(module.register_forward_hook(recorder.leave_module, with_kwargs=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def name_of(function: Any) -> str:
    """Return the name of a PyTorch function, or of the attribute that it reads."""
    name = getattr(function, "__name__", str(function))
    if name == "__get__":  # an attribute of a tensor, such as x.mT
        return str(getattr(function.__self__, "__name__", name))
    return str(name)
