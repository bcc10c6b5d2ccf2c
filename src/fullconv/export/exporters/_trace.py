"""A network as torch.export sees it: one graph for images of every size from 1 x 1 on."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbols

from fullconv.errors import ExportError
from fullconv.export.portable import make_portable
from fullconv.inference.runtimes import first_line, quiet

EXAMPLE = (2, 3, 97, 130)  # the sides are no multiples of any stride


def traced(network: nn.Module, size: tuple[int, int] | None = None) -> ExportedProgram:
    """The network's graph, with free batch, height and width, or for one image of one size.

    By itself torch.export takes a side of 1 for another case than all others ("0/1
    specialisation"). Every map's side is one sooner or later, fc7's at 32 pixels with padding
    "same", so that the graph would refuse images of 1 to 32 pixels. Told not to look at whether a
    size is 1 it makes one graph, which is right for all of them: nothing of ours broadcasts.

    Raises:
        ExportError: its forward does something that no graph can hold.
    """
    # A named Dim is refused for ceil-mode pooling.
    free = {} if size else {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    image = torch.full((1, 3, *size) if size else EXAMPLE, 127.0)
    chosen = make_portable(network, size)
    try:
        with torch.no_grad(), any_size(), quiet():
            return _bare(torch.export.export(chosen, (image,), dynamic_shapes=(free,)))
    except Exception as error:  # torch.export raises whatever its layers raise
        raise ExportError(
            f"torch.export cannot follow this network: {first_line(error)}"
        ) from error


def any_size() -> AbstractContextManager[None]:
    """Sizes of 1 are no case of their own while this context lasts."""
    config: Any = symbols  # a module that PyTorch fills in
    context: AbstractContextManager[None] = config.patch(backed_size_oblivious=True)
    return context


def _bare(program: ExportedProgram) -> ExportedProgram:
    """The program without its nodes' stories, which name files and folders of this machine."""
    for node in program.graph.nodes:
        for story in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"):
            node.meta.pop(story, None)
    return program
