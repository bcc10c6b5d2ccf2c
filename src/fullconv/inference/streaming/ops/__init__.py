"""How to compute each kind of PyTorch function on a part of its input: one file per group.

A rule receives a call on whole feature maps and returns a `PartialOp`, or raises an
`UnsupportedOpError` that names what cannot be done on a part.
"""

from collections.abc import Callable

from fullconv._registry import Registry
from fullconv.inference.streaming.op import PartialOp, RecordedCall

Rule = Callable[[RecordedCall], PartialOp]
rules: Registry[Rule] = Registry("fullconv.inference.streaming.ops", "kind of op")
"""Rules by the `OpKind` of the function."""
