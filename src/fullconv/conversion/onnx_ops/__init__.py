"""How each PyTorch function is written in ONNX: one file per group of functions.

A rule receives a recorded call, adds nodes to the graph, and returns the values of the results. It
raises an `UnsupportedOpError` for arguments that it does not know.
"""

from collections.abc import Callable

import onnx_ir as ir

from fullconv._registry import Registry
from fullconv.conversion.onnx_builder import GraphBuilder
from fullconv.networks.tracing.ops import OpCall

Rule = Callable[[GraphBuilder, OpCall], ir.Value | tuple[ir.Value, ...]]
rules: Registry[Rule] = Registry("fullconv.conversion.onnx_ops", "PyTorch function")
"""Rules by the name of the function."""


def register(names: str) -> Callable[[Rule], Rule]:
    """Register the decorated rule for several functions, named in one text."""

    def add(rule: Rule) -> Rule:
        for name in names.split():
            rules.register(name)(rule)
        return rule

    return add
