"""Fold batch norms into the convolutions before them, in the recorded calls."""

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from fullconv.conversion.record import NetworkCall, NetworkCalls
from fullconv.inference.streaming.ops._op import Slot
from fullconv.networks.tracing.ops import OpCall


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
