"""A network on images of one size, as a list of steps that can be done on parts of their inputs.

The network is followed once, on tensors without numbers, at the image's true size: every padding,
crop and enlargement is then a plain number, whatever the layers computed it from. One file here
says how a group of PyTorch's functions is done on a part; a function that none of them knows, or
that lets the whole image into every pixel, is refused with its name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv._registry import Registry
from fullconv.errors import GeometryError
from fullconv.inference.streaming.ops._op import (
    Op,
    OpCall,
    PartialOp,
    Region,
    Slot,
    UnknownOpError,
    Value,
)
from fullconv.inference.streaming.ranges import inside
from fullconv.networks.layers import Unpool
from fullconv.networks.tracing.ops import tensors_in
from fullconv.networks.tracing.trace import evaluating

Rule = Callable[[OpCall], PartialOp]
rules: Registry[Rule] = Registry("fullconv.inference.streaming.ops", "function")
ATOMS = (Unpool,)  # modules that are one step, whatever functions they call


@dataclass(frozen=True)
class OpGraph:
    """All steps from an image of one size to its scores.

    Attributes:
        values: what the steps read and make; number 0 is the image.
        steps: in their order.
        answer: number of the value that holds the scores.
    """

    values: tuple[Value, ...]
    steps: tuple[Op, ...]
    answer: int

    def needed(self, region: Region) -> dict[int, Region]:
        """What of each value a region of the answer needs; values that it does not are left out."""
        found = {self.answer: region}
        for step in reversed(self.steps):
            outputs = [found[number] for number in step.outputs if number in found]
            if not outputs:
                continue
            together = reduce(Region.hull, outputs)  # results of one call are made together
            found |= {number: together for number in step.outputs if number in found}
            for number, reaches in zip(step.inputs, step.doing.reaches, strict=True):
                part = self._read(number, reaches, together)
                found[number] = part.hull(found.get(number, part))
        return found

    def _read(self, number: int, reaches: Any, output: Region) -> Region:
        sides = self.values[number].sides
        ranges = [
            inside(reach.reads(wanted), side)
            for reach, wanted, side in zip(reaches, output, sides, strict=True)
        ]
        return Region(ranges[0], ranges[1])

    def consumers(self) -> dict[int, list[tuple[Op, int]]]:
        """The steps that read each value, each with the position that it is read in."""
        found: dict[int, list[tuple[Op, int]]] = {n: [] for n in range(len(self.values))}
        for step in self.steps:
            for position, number in enumerate(step.inputs):
                found[number].append((step, position))
        return found


def record_ops(
    network: nn.Module, size: tuple[int, int], channels: int = 3, numbers: bool = True
) -> OpGraph:
    """The steps of a network, in evaluation mode, on an image of `size` (height, width).

    Args:
        network: an image -> scores.
        size: of the image.
        channels: likewise.
        numbers: whether the steps have the network's weights; without, they only tell sizes.

    Raises:
        GeometryError: it does something that cannot be done on a part of the image.
    """
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: tensor.detach().to("meta") for name, tensor in state.items()}
    kind = next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)
    image = torch.empty(1, channels, *size, device="meta", dtype=kind)
    real = state if numbers else shapes
    recorder = OpRecorder(image, {id(shapes[name]): (shapes[name], real[name]) for name in state})
    with _watched(network, recorder), evaluating(network), _in_full(network), torch.no_grad():
        try:
            with recorder:
                answer = torch.func.functional_call(network, shapes, (image,))
        except UnknownOpError as error:
            where = f" in {recorder.module}" if recorder.module else ""
            raise GeometryError(f"{error}{where}") from error
        except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise GeometryError(f"could not be followed ({reason})") from error
    return recorder.finish(answer)


class OpRecorder(TorchFunctionMode):
    """Notes what PyTorch's functions do with what comes from the image."""

    def __init__(self, image: Tensor, weights: dict[int, tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.values = [Value(tuple(image.shape), bytes=image.element_size())]
        self.steps: list[Op] = []
        self.module = ""  # the module that is being called, for messages
        self.atom = 0  # how many modules deep inside one that is a single step
        # The tensors are kept, or another one could get the same id.
        self._numbers: dict[int, tuple[Tensor, int]] = {id(image): (image, 0)}
        self._weights = weights

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one of PyTorch's functions and note it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self.atom:
            self.note(getattr(func, "__name__", str(func)), func, args, kwargs, result)
        return result

    def note(
        self, name: str, function: Any, args: tuple[Any, ...], kwargs: Any, result: Any
    ) -> None:
        """Note one call, if it makes tensors of tensors."""
        made = list(tensors_in(result))
        given = list(tensors_in((args, kwargs)))
        if not made or not given:
            return
        traced = [tensor for tensor in given if id(tensor) in self._numbers]
        if not traced:
            self._prepare(function, args, kwargs, made)
            return
        inputs = tuple(self._numbers[id(tensor)][1] for tensor in traced)
        slots = {id(tensor): Slot(position) for position, tensor in enumerate(traced)}
        call = OpCall(
            name,
            function,
            self._settled(args, slots),
            self._settled(kwargs, slots),
            tuple(self.values[number] for number in inputs),
            tuple(tuple(tensor.shape) for tensor in made),
        )
        if name not in rules:
            raise UnknownOpError(f"calls {name}, of which no rule says how to do it on a part")
        doing = rules[name](call)
        in_place = any(tensor is one for tensor in made for one in traced)
        self._add(name, inputs, made, _owning(doing) if in_place else doing)

    def finish(self, answer: Any) -> OpGraph:
        """The steps, once the network has answered."""
        if not isinstance(answer, Tensor) or id(answer) not in self._numbers:
            raise GeometryError("does not answer an image with one tensor of scores")
        return OpGraph(tuple(self.values), tuple(self.steps), self._numbers[id(answer)][1])

    def _add(
        self, name: str, inputs: tuple[int, ...], made: list[Tensor], doing: PartialOp
    ) -> None:
        source = self.values[inputs[0]]
        rows, columns = doing.places or (source.rows, source.columns)
        stride = source.stride * doing.reaches[0][0].scale
        outputs = []
        for tensor in made:
            outputs.append(len(self.values))
            self._numbers[id(tensor)] = (tensor, len(self.values))
            shape = tuple(tensor.shape)
            self.values.append(Value(shape, rows, columns, stride, tensor.element_size()))
        self.steps.append(Op(name, inputs, tuple(outputs), doing))

    def _prepare(self, function: Any, args: Any, kwargs: Any, made: list[Tensor]) -> None:
        """Weights made of weights, such as standardised ones, are computed once."""
        real = list(tensors_in(function(*self._settled(args, {}), **self._settled(kwargs, {}))))
        for shadow, tensor in zip(made, real, strict=True):
            self._weights[id(shadow)] = (shadow, tensor)

    def _settled(self, value: Any, slots: dict[int, Slot]) -> Any:
        """Arguments with slots for what comes from the image, and weights for their shadows."""
        if isinstance(value, Tensor):
            if id(value) in slots:
                return slots[id(value)]
            if id(value) in self._weights:
                return self._weights[id(value)][1]
            raise UnknownOpError("uses a tensor that is neither a weight nor made of the image")
        if isinstance(value, tuple | list):
            settled = [self._settled(one, slots) for one in value]
            return tuple(settled) if isinstance(value, tuple) else settled
        if isinstance(value, dict):
            return {key: self._settled(one, slots) for key, one in value.items()}
        return value


def _owning(doing: PartialOp) -> PartialOp:
    """The same on a copy, for a function that writes into what it is given."""

    def run(slabs: Any, region: Region) -> Any:
        return doing.run([slab.clone() for slab in slabs], region)

    return replace(doing, run=run)


@contextmanager
def _in_full(network: nn.Module) -> Iterator[None]:
    """Every layer on all of its input: a short cut holds for one whole image."""
    cut = [module for module in network.modules() if getattr(module, "sparse_padding", False)]
    for module in cut:
        module.sparse_padding = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in cut:
            module.sparse_padding = True  # type: ignore[assignment]


@contextmanager
def _watched(network: nn.Module, recorder: OpRecorder) -> Iterator[None]:
    """Let the recorder know which module is being called, and note atoms as single steps."""

    def enter(name: str, module: nn.Module) -> None:
        recorder.module = name
        recorder.atom += isinstance(module, ATOMS)

    def leave(module: nn.Module, given: Any, kwargs: Any, result: Any) -> None:
        if isinstance(module, ATOMS):
            recorder.atom -= 1
            if not recorder.atom:
                recorder.note(type(module).__name__, module, tuple(given), kwargs, result)

    hooks = []
    for name, module in network.named_modules():
        begin = lambda module, given, name=name: enter(name, module)  # noqa: E731
        hooks.append(module.register_forward_pre_hook(begin))
        hooks.append(module.register_forward_hook(leave, with_kwargs=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


__all__ = ["Op", "OpGraph", "Range", "Region", "Value", "record_ops", "rules"]
