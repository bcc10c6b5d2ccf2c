"""Build an ONNX graph node by node: values of feature maps, constants, and computed sizes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir
from torch import Tensor

from fullconv._version import __version__
from fullconv.conversion.sides import Formula, MapSide, Term, simplify, term_of
from fullconv.inference.runtimes import INPUT, OUTPUT
from fullconv.inference.streaming.op import Slot
from fullconv.networks.tracing.ops import UnsupportedOpError

OPSET, IR_VERSION = 20, 10
_OPERATORS = {"+": "Add", "-": "Sub", "*": "Mul", "%": "Mod"}


class GraphBuilder:
    """The nodes and constants of a graph that is being built.

    Args:
        fixed: dimensions of feature maps that are the same for all images.
        shapes: of the feature maps, on the image that was recorded.
        names: id of a weight -> its name.
        inputs: index of a feature map that the graph is given -> its name there.

    Attributes:
        sides_given: sides that the graph is given, since it has no map with them -> their names.
        values: index of a feature map -> its value.
        module: path of the layer whose nodes are added, which names them.
    """

    def __init__(
        self,
        fixed: Mapping[MapSide, int],
        shapes: Sequence[tuple[int, ...]],
        names: Mapping[int, str],
        inputs: Mapping[int, str] = MappingProxyType({0: INPUT}),
    ) -> None:
        self.sides_given: dict[MapSide, str] = {}
        self.values = {i: ir.val(name, ir.DataType.FLOAT) for i, name in inputs.items()}
        self.module = ""
        self._fixed, self._shapes, self._names = fixed, shapes, names
        self._nodes: list[ir.Node] = []
        self._initializers: dict[str, ir.Value] = {}
        self._weights: dict[int, tuple[Tensor, ir.Value]] = {}  # keeps the tensors alive
        self._transposed: dict[int, Tensor] = {}
        self._numbers: dict[tuple[Any, ...], ir.Value] = {}
        self._terms: dict[Term, ir.Value] = {}
        self._inputs = [*self.values.values()]
        self._used = dict.fromkeys([*inputs.values(), OUTPUT], 1)

    def value(self, given: Any) -> ir.Value:
        """Return the value of a feature map, a weight or a number.

        Raises:
            UnsupportedOpError: it is anything else.
        """
        if isinstance(given, Slot):
            return self.values[given.index]
        if isinstance(given, Tensor):
            return self.weight(given)
        if isinstance(given, int | float):
            return self.numbers(float(self.integer(given) if isinstance(given, int) else given))
        raise UnsupportedOpError(f"computes with {given!r}")

    def add(self, op: str, *inputs: ir.Value | None, results: int = 1, **attributes: Any) -> Any:
        """Add a node; return its result, or a tuple of several.

        Args:
            op: the operator of ONNX.
            inputs: values; None for an optional one that is left out.
            results: how many the node has.
            attributes: of the node.
        """
        name = self._unique(f"{self.module}.{op}" if self.module else op)
        outputs = [ir.val(name if results == 1 else f"{name}.{k}") for k in range(results)]
        self._nodes.append(ir.node(op, inputs, attributes, outputs=outputs, name=name))
        return outputs[0] if results == 1 else tuple(outputs)

    def weight(self, tensor: Tensor, name: str = "") -> ir.Value:
        """Return the value of a weight; it is stored once, under its name in the network."""
        if id(tensor) not in self._weights:
            chosen = name or self._names.get(id(tensor)) or f"{self.module}.constant"
            made = self._constant(tensor.detach().float().contiguous().numpy(), chosen)
            self._weights[id(tensor)] = tensor, made
        return self._weights[id(tensor)][1]

    def numbers(self, values: Any) -> ir.Value:
        """Return a constant: float32 of a float, int64 of whole numbers."""
        array = np.asarray(values, np.float32 if isinstance(values, float) else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._numbers:
            self._numbers[key] = self._constant(array, "number" if array.ndim == 0 else "numbers")
        return self._numbers[key]

    def transposed(self, weight: Tensor) -> ir.Value:
        """Return the value of a weight with its two dimensions exchanged."""
        name = self._names.get(id(weight), f"{self.module}.weight")
        if id(weight) not in self._transposed:
            self._transposed[id(weight)] = weight.detach().T
        return self.weight(self._transposed[id(weight)], f"{name}.T")

    def rank(self, slot: Slot) -> int:
        """Return the number of dimensions of a feature map."""
        return len(self._shapes[slot.index])

    def side(self, slot: Slot, dim: int) -> int:
        """Return a side of a feature map that is the same for all images.

        Raises:
            UnsupportedOpError: it is not.
        """
        found = self._fixed.get(MapSide(slot.index, dim % self.rank(slot)))
        if found is None:
            raise UnsupportedOpError("takes a part of rows or columns")
        return found

    def integer(self, number: int) -> int:
        """Return a number that is the same for all images.

        Raises:
            UnsupportedOpError: it depends on the image's size.
        """
        term = self.term(number)
        if not isinstance(term, int):
            raise UnsupportedOpError("has a setting that depends on the image's size")
        return term

    def integers(self, numbers: int | Sequence[int], count: int) -> list[int]:
        """Return numbers that are the same for all images; one stands for `count`.

        Raises:
            UnsupportedOpError: one depends on the image's size.
        """
        listed = [numbers] * count if isinstance(numbers, int) else numbers
        return [self.integer(number) for number in listed]

    def term(self, number: int) -> Term:
        """Return the formula of a number, or the number that it gives for all images."""
        return simplify(term_of(number), self._fixed.get)

    def sides(self, numbers: Sequence[int]) -> ir.Value:
        """Return numbers as one tensor (count,) of int64, computed from the image's size."""
        terms = [self.term(number) for number in numbers]
        if all(isinstance(term, int) for term in terms):
            return self.numbers(terms)
        parts = [self._computed(term) for term in terms]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=0)

    def model(
        self,
        outputs: Mapping[str, tuple[ir.Value, Sequence[int | str]]],
        inputs: Sequence[Sequence[int | str]],
    ) -> ir.Model:
        """Return the model that computes some values.

        Args:
            outputs: name -> a value, and its shape; text for dimensions that are free.
            inputs: shapes of the feature maps that it is given.
        """
        made = []
        for name, (value, shape) in outputs.items():
            made.append(self.add("Identity", value))
            made[-1].name = name
            made[-1].shape, made[-1].dtype = ir.Shape(shape), ir.DataType.FLOAT
        for value, shape in zip(self._inputs, inputs, strict=False):
            value.shape = ir.Shape(shape)
        graph = ir.Graph(
            self._inputs,
            made,
            nodes=self._nodes,
            initializers=list(self._initializers.values()),
            opset_imports={"": OPSET},
            name="network",
        )
        return ir.Model(
            graph, ir_version=IR_VERSION, producer_name="fullconv", producer_version=__version__
        )

    def _computed(self, term: Term) -> ir.Value:
        """Return a number as a tensor (1,) of int64."""
        if isinstance(term, int):
            return self.numbers([term])
        if term not in self._terms:
            self._terms[term] = self._compute(term)
        return self._terms[term]

    def _compute(self, term: MapSide | Formula) -> ir.Value:
        if isinstance(term, MapSide):
            found = self.values.get(term.index)
            if found is None:
                return self._given(term)
            return self.add("Shape", found, start=term.dim, end=term.dim + 1)  # type: ignore[no-any-return]
        left, right = self._computed(term.left), self._computed(term.right)
        if term.operator == "//":  # ONNX rounds towards zero
            left = self.add("Sub", left, self.add("Mod", left, right))
            return self.add("Div", left, right)  # type: ignore[no-any-return]
        return self.add(_OPERATORS[term.operator], left, right)  # type: ignore[no-any-return]

    def _given(self, side: MapSide) -> ir.Value:
        """Return a side as an input of the graph."""
        name = self.sides_given[side] = f"side{side.index}.{side.dim}"
        found = ir.val(name, ir.DataType.INT64, shape=ir.Shape([1]))
        self._inputs.append(found)
        return found

    def _constant(self, array: np.ndarray, name: str) -> ir.Value:
        name = self._unique(name)
        tensor = ir.tensor(array, name=name)
        made = ir.val(name, const_value=tensor)
        self._initializers[name] = made
        return made

    def _unique(self, name: str) -> str:
        self._used[name] = number = self._used.get(name, 0) + 1
        return name if number == 1 else f"{name}_{number}"
