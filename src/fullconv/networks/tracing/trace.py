"""Trace receptive fields through any network, op by op.

`geometry` composes the layers of a sequence. Networks of other libraries have branches, padding in
their forward, and layers of their own; all of them call PyTorch's functions. Those are recorded
on tensors without data, so no class of layer needs to be known.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from fullconv.networks.tracing.copies import meta_copy
from fullconv.networks.tracing.ops import OpCall, OpKind, tensors_in
from fullconv.networks.tracing.recorder import FunctionRecorder, run_recorded
from fullconv.networks.tracing.rules import extent_after, mixes_positions
from fullconv.networks.tracing.spans import PixelExtent, union


@dataclass
class ModuleCall:
    """One call of a module.

    Attributes:
        name: of the module; "" is the network itself.
        input: the first argument.
        output: what it returned.
        calls: the calls of submodules, in the order in which they ran.
    """

    name: str
    input: Any = None
    output: Any = None
    calls: list["ModuleCall"] = field(default_factory=list)


class Trace(FunctionRecorder[PixelExtent]):
    """The record of one image through a network; see `trace`.

    Attributes:
        image: the network's input.
        root: the call of the network itself.
        global_modules: modules after which every pixel depends on the whole image, in order.
        attention: modules that multiply positions with positions.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image
        self.root = ModuleCall("", image)
        self.global_modules: dict[str, None] = {}
        self.attention: dict[str, None] = {}
        self._open_calls = [self.root]
        self.remember(image, PixelExtent())

    def extent(self, tensor: Any) -> PixelExtent | None:
        """Return the extent of a tensor of this run; None for weights and constants."""
        return self.fact(tensor)

    def has_positions(self, tensor: Any) -> bool:
        """Return whether the tensor is a feature map, (B, C, H, W), of the image."""
        extent = self.extent(tensor)
        return extent is not None and extent.rows is not None and tensor.dim() == 4

    def record(self, call: OpCall) -> None:
        """Compute the extents of the results."""
        tensors = tensors_in((call.args, call.kwargs))
        extents = [extent for tensor in tensors if (extent := self.fact(tensor))]
        if extents:
            for result in list(tensors_in(call.result)):
                self.remember(result, self._extent_of(replace(call, result=result), extents))

    def enter_module(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Note that a module starts to run."""
        super().enter_module(name, module, args)
        call = ModuleCall(name, args[0] if args else None)
        self._open_calls[-1].calls.append(call)
        self._open_calls.append(call)

    def leave_module(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Note that the innermost module has run."""
        super().leave_module(module, args, kwargs, result)
        self._open_calls.pop().output = result

    def _extent_of(self, call: OpCall, extents: list[PixelExtent]) -> PixelExtent:
        before = union(extents)
        several = len(extents) > 1
        if call.kind in (OpKind.MATMUL, OpKind.ATTENTION) and several:
            self.attention.setdefault(self.module)
            return replace(before, bounded=False)
        if call.kind is OpKind.SOFTMAX and mixes_positions(call):
            self.attention.setdefault(self.module)
        after = extent_after(call, before)
        over_map = call.kind is OpKind.GLOBAL_NORM or (
            call.kind is OpKind.CHANNELS and mixes_positions(call)
        )
        if after.rows and (over_map or any(extent.rows is None for extent in extents)):
            self.global_modules.setdefault(self.module)
        return after


def trace(network: nn.Module, height: int, width: int) -> Trace:
    """Trace an RGB image of `height` x `width` through a network, in evaluation mode.

    Only shapes are computed, whatever device the network is on, on a copy of its modules.

    Raises:
        GeometryError: the network does not run on an image of this size.
    """
    copy = meta_copy(network)
    record = Trace(copy.image((height, width)))
    record.root.output = run_recorded(copy, record.image, record)
    return record
