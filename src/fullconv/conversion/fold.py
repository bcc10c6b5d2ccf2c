"""Fold batch norms into the convolutions before them, and paddings into those after them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fullconv.conversion.record import NetworkCall, NetworkCalls
from fullconv.conversion.sides import MapSide, simplify, term_of
from fullconv.inference.streaming.op import Slot
from fullconv.networks.tracing.ops import OpCall

Pads = tuple[int, int, int, int]
"""Zeros around a map: rows above, columns to the left, rows below, columns to the right."""


def fold_batch_norms(recorded: NetworkCalls) -> NetworkCalls:
    """Return the calls with each batch norm that alone reads a convolution's output folded into it.

    Runtimes fold them as well, but not in every precision, and a file without them is what
    quantization expects.
    """
    reads = Counter(index for call in recorded.calls for index in call.inputs)
    reads[recorded.output] += 1
    calls: list[NetworkCall] = []
    names = dict(recorded.names)
    made: dict[int, int] = {}  # convolution's output -> its position
    for call in recorded.calls:
        source = call.inputs[0]
        if call.call.name == "batch_norm" and source in made and reads[source] == 1:
            at = made[source]
            folded = _folded(calls[at].call, call.call)
            if folded is not None:
                _keep_names(names, calls[at].call, folded)
                calls[at] = replace(calls[at], call=folded, outputs=call.outputs)
                continue
        if call.call.name == "conv2d" and isinstance(call.call.argument(1, "weight"), Tensor):
            made[call.outputs[0]] = len(calls)
        calls.append(call)
    return replace(recorded, calls=tuple(calls), names=names)


def fold_paddings(recorded: NetworkCalls) -> NetworkCalls:
    """Return the calls with each padding by zeros that only convolutions read folded into them.

    A quantized convolution pads its input in int8; a padding of its own would be computed in
    float32, between two changes of the type and of the layout.
    """
    readers: dict[int, list[NetworkCall]] = defaultdict(list)
    for call in recorded.calls:
        for index in call.inputs:
            readers[index].append(call)
    paddings: dict[int, tuple[NetworkCall, Pads]] = {}
    for call in recorded.calls:
        result = call.outputs[0]
        pads = _zeros_around(call.call, recorded.fixed)
        if pads and result != recorded.output and all(map(_is_convolution, readers[result])):
            paddings[result] = call, pads
    calls = []
    for call in recorded.calls:
        if call.inputs[0] in paddings:
            call = _padded(call, *paddings[call.inputs[0]])
        if call.outputs[0] not in paddings:
            calls.append(call)
    return replace(recorded, calls=tuple(calls))


def _zeros_around(call: OpCall, fixed: Mapping[MapSide, int]) -> Pads | None:
    """Return the rows and columns of zeros that a call adds; None if it does something else.

    Also None if their number depends on the image's size, or some are cut off.
    """
    if call.name != "pad" or call.argument(3, "value"):
        return None
    pads = [simplify(term_of(pad), fixed.get) for pad in call.argument(1, "pad")]
    numbers = [pad for pad in pads if isinstance(pad, int) and pad >= 0]
    if call.argument(2, "mode", "constant") != "constant" or not len(pads) == len(numbers) == 4:
        return None
    left, right, top, bottom = numbers
    return top, left, bottom, right


def _is_convolution(call: NetworkCall) -> bool:
    """Return whether a call convolves a feature map with fixed weights and a padding by numbers."""
    convolution = call.call
    return (
        convolution.name == "conv2d"
        and len(call.inputs) == 1
        and not isinstance(convolution.argument(4, "padding", 0), str)
    )


def _padded(call: NetworkCall, padding: NetworkCall, added: Pads) -> NetworkCall:
    """Return a convolution that itself adds the zeros of a padding before it."""
    own = four_pads(call.call.argument(4, "padding", 0))
    names = "bias", "stride", "padding", "dilation", "groups"
    settings = [
        call.call.argument(at, name, default)
        for at, (name, default) in enumerate(zip(names, (None, 1, 0, 1, 1), strict=True), 2)
    ]
    settings[2] = tuple(a + b for a, b in zip(added, own, strict=True))
    args = (padding.call.args[0], call.call.argument(1, "weight"), *settings)
    return replace(call, call=replace(call.call, args=args, kwargs={}), inputs=padding.inputs)


def four_pads(padding: int | Sequence[int]) -> Pads:
    """Return a convolution's padding as (top, left, bottom, right), given in any form."""
    numbers = (padding,) if isinstance(padding, int) else tuple(padding)
    top, left, bottom, right = numbers * (4 // len(numbers))
    return top, left, bottom, right


def _folded(convolution: OpCall, norm: OpCall) -> OpCall | None:
    """Return the convolution with the norm in its weights; None if that is not possible."""
    mean, variance = norm.argument(1, "running_mean"), norm.argument(2, "running_var")
    scale, shift = norm.argument(3, "weight"), norm.argument(4, "bias")
    weight, bias = convolution.argument(1, "weight"), convolution.argument(2, "bias")
    if mean is None or isinstance(bias, Slot) or norm.argument(5, "training", False):
        return None
    factor = (variance.double() + norm.argument(7, "eps", 1e-5)).rsqrt()
    factor = factor if scale is None else factor * scale.double()
    moved = -mean.double() if bias is None else bias.double() - mean.double()
    new_bias = moved * factor + (torch.zeros(()) if shift is None else shift.double())
    new_weight = weight.double() * factor.view(-1, 1, 1, 1)
    args = (convolution.args[0], new_weight.float(), new_bias.float(), *convolution.args[3:])
    kwargs = {k: v for k, v in convolution.kwargs.items() if k not in ("weight", "bias")}
    return replace(convolution, args=args, kwargs=kwargs)


def _keep_names(names: dict[int, str], before: OpCall, after: OpCall) -> None:
    """Give the folded weights the names of the convolution's own."""
    name = names.get(id(before.argument(1, "weight")))
    if name:
        names |= {id(after.args[1]): name, id(after.args[2]): name.removesuffix("weight") + "bias"}
