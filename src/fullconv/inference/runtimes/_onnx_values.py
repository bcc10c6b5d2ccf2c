"""Read the numbers that an .onnx file holds, without the package onnx, to check them."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fullconv.errors import WeightsError
from fullconv.inference.runtimes import check_finite
from fullconv.io.protobuf import ProtoField, read_fields

# Numbers of fields in onnx.proto.
_GRAPH = 7  # of a model
_NODE, _INITIALIZER = 1, 5  # of a graph
_ATTRIBUTE = 5  # of a node
_TENSOR, _SUBGRAPH = 5, 6  # of an attribute
_TYPE, _FLOATS, _NAME, _BYTES, _DOUBLES, _LOCATION = 2, 4, 8, 9, 10, 14  # of a tensor
_TYPES = {1: "<f4", 10: "<f2", 11: "<f8"}
_DEEPEST = 8  # graphs within graphs; `fullconv export` writes none


def check_values(path: Path) -> None:
    """Check that an .onnx file holds all of its numbers, and that they are finite.

    Raises:
        WeightsError: one is NaN or infinite, or in another file, or the file is damaged.
    """
    with path.open("rb") as stream:
        try:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            raise WeightsError(f"{path}: not an .onnx file: it is empty") from None
    # Views of the content are held by the fields, so it is closed with the last of them.
    try:
        for number, tensor in enumerate(_tensors(memoryview(content), (_GRAPH,), 0)):
            _check(path, tensor, number)
    except ValueError as error:
        raise WeightsError(f"{path}: not an .onnx file: {error}; export it again") from error


def _tensors(message: memoryview, wanted: tuple[int, ...], depth: int) -> Iterator[memoryview]:
    """Yield the tensors of a model, graph, node or attribute, given the fields that lead to them.

    Raises:
        ValueError: the message is damaged, or its graphs are nested too deeply.
    """
    if depth > 3 * _DEEPEST:
        raise ValueError(f"graphs within graphs, more than {_DEEPEST} deep")
    for field in read_fields(message):
        if field.number not in wanted or not isinstance(field.value, memoryview):
            continue
        yield from _inner(field, wanted, depth)


def _inner(field: ProtoField, within: tuple[int, ...], depth: int) -> Iterator[memoryview]:
    assert isinstance(field.value, memoryview)
    graph, attribute = (_NODE, _INITIALIZER), (_TENSOR, _SUBGRAPH)
    if (within, field.number) in ((graph, _INITIALIZER), (attribute, _TENSOR)):
        yield field.value
    else:
        following = {(_GRAPH,): graph, graph: (_ATTRIBUTE,), (_ATTRIBUTE,): attribute}
        yield from _tensors(field.value, following.get(within, graph), depth + 1)


def _check(path: Path, tensor: memoryview, number: int) -> None:
    name, kind, parts = f"tensor {number}", 0, []
    for field in read_fields(tensor):
        if isinstance(field.value, int):
            kind = field.value if field.number == _TYPE else kind
            if field.number == _LOCATION and field.value:
                raise WeightsError(
                    f"{path}: its values are in another file; expected one file with all of them: "
                    "export the model again with `fullconv export`"
                )
        elif field.number == _NAME:
            name = bytes(field.value[:200]).decode(errors="replace") or name
        elif field.number in (_FLOATS, _BYTES, _DOUBLES):
            parts.append((field.number, field.value))
    for place, values in parts:
        dtype = {_FLOATS: "<f4", _DOUBLES: "<f8"}.get(place) or _TYPES.get(kind)
        if dtype:
            check_finite(path, {name: np.frombuffer(values, dtype)})
