"""Trace a network with torch.export: one graph for images of any size from 1 x 1."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbols

from fullconv.conversion.portable import make_portable
from fullconv.errors import ExportError
from fullconv.inference.runtimes import first_line, quiet

EXAMPLE = (2, 3, 97, 130)  # the sides are not multiples of a stride


def trace(network: nn.Module, size: tuple[int, int] | None = None) -> ExportedProgram:
    """Return the network's graph, for any batch, height and width, or for one image of `size`.

    By default, torch.export treats sides of 1 as a special case ("0/1 specialization"). Some map
    has a side of 1 for small images (fc7 below 32 pixels with padding "same"), so the graph would
    refuse images of 1 to 32 pixels. Size-oblivious tracing gives one graph, which is correct for
    all sizes, since none of our layers broadcasts.

    Raises:
        ExportError: torch.export cannot represent its forward.
    """
    # A named Dim is refused for ceil-mode pooling.
    free = {} if size else {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    image = torch.full((1, 3, *size) if size else EXAMPLE, 127.0)
    chosen = make_portable(network, size)
    try:
        with torch.no_grad(), any_size(), quiet():
            return _without_traces(torch.export.export(chosen, (image,), dynamic_shapes=(free,)))
    except Exception as error:  # torch.export raises whatever its layers raise
        raise ExportError(
            f"torch.export cannot follow this network: {first_line(error)}"
        ) from error


def any_size() -> AbstractContextManager[None]:
    """Trace without specializing on sides of 1."""
    config: Any = symbols  # a module that PyTorch fills in
    context: AbstractContextManager[None] = config.patch(backed_size_oblivious=True)
    return context


def _without_traces(program: ExportedProgram) -> ExportedProgram:
    """Remove stack traces and the like, which name files of this machine."""
    traces = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
    for node in program.graph.nodes:
        for name in traces:
            node.meta.pop(name, None)
    return program
