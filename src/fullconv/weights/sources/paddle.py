"""Read Paddle's state dicts (.pdparams, Paddle 1 to 3): a pickled dict of numpy arrays.

The pickle is read as data. The three names of numpy that it may contain (four in protocol 2) stand
for the small classes below.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import paper_names
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._pickle import ForbiddenNameError, rebuild

# Names of the course's FCN-8s -> names of the paper.
_LAYERS = {
    "score": "score_fr",
    "up_output": "upscore2",
    "up_pool4": "upscore_pool4",
    "up_final": "upscore8",
}
_KINDS = {"_mean": "running_mean", "_variance": "running_var"}
_NAME_TABLE = "StructuredToParameterName@@"
# Layers after a dropout; halving their weights equals fluid's scaling of its output.
_AFTER_DROPOUT = ("fc7.weight", "fc8.weight", "score_fr.weight")


def _recognises(head: bytes, path: Path) -> bool:
    """Return whether it is a pickle of protocol 2 to 5; one with a long number first is torch's."""
    return bool(re.match(rb"\x80[\x02-\x05](\x95.{8})?+(?!\x8a)", head, re.DOTALL))


def read(path: Path, fluid_dropout: bool = False) -> Weights:
    """Read a Paddle state dict.

    Args:
        path: the file.
        fluid_dropout: the network was trained with fluid's Dropout, which multiplies by 1/2 at
            inference too: halve the weights after it (exact in float32), so a network without
            dropout computes the same.

    Raises:
        WeightsError: the file is damaged, or asks for anything but arrays.
    """
    state = _state(path)
    arrays = {name: array for name, array in state.items() if array is not None}
    others = [name for name, array in state.items() if array is None and name != _NAME_TABLE]
    arrays = {_paper_name(name): _torch_layout(array) for name, array in arrays.items()}
    names = paper_names({name: array.shape for name, array in arrays.items()})
    arrays = {names.get(name, name): array for name, array in arrays.items()}
    notes = [f"entries that are not arrays: {', '.join(others)}"] if others else []
    if fluid_dropout:
        halved = [name for name in _AFTER_DROPOUT if name in arrays]
        arrays |= {name: arrays[name] / np.float32(2) for name in halved}
        notes.append(f"halved for fluid's dropout: {', '.join(halved) or 'nothing'}")
    elif "fc7.weight" in arrays:
        notes.append(
            "if it was trained with fluid, whose Dropout multiplies by 1/2 at inference too, "
            "load it with fluid_dropout"
        )
    return Weights(arrays, "Paddle state dict", notes=tuple(notes))


sources.register("paddle")(
    Source(
        "Paddle state dict (.pdparams)",
        _recognises,
        read,
        options=frozenset({"fluid_dropout"}),
    )
)


def _state(path: Path) -> dict[str, np.ndarray | None]:
    """Return name -> array, or None for an entry that is not an array."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            state = rebuild(file, size, _table(size))
        if not isinstance(state, dict):
            raise ValueError(f"holds a {type(state).__name__} where a dict is expected")
        held = sum(len(value.raw) for value in state.values() if isinstance(value, _Array))
        if held > size:
            raise ValueError("describes more values than it has")
        return {
            str(name): value.array() if isinstance(value, _Array) else None
            for name, value in state.items()
        }
    except ForbiddenNameError as error:
        raise WeightsError(
            f"{path} is a pickle that asks for {error.name}, which weights never need; nothing of "
            "it was run. Save the state dict alone, in the program that wrote the file"
        ) from error
    except ValueError as error:
        raise WeightsError(
            f"{path} looks like a Paddle state dict but is damaged or something else: {error}; "
            "copy or download it again"
        ) from error


def _paper_name(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    if match := re.fullmatch(r"layer(\d+)\.(\d+)\.(conv|bn)", layer):
        layer = f"{match[3]}{match[1]}_{int(match[2]) + 1}"
    return f"{_LAYERS.get(layer, layer)}.{_KINDS.get(kind, kind)}".lstrip(".")


def _torch_layout(array: np.ndarray) -> np.ndarray:
    """Transpose the matrix of a Linear, which Paddle stores as (in, out)."""
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array


class _Dtype:
    """Stand-in for numpy.dtype; plain numbers only."""

    def __init__(self, *arguments: object) -> None:
        code = str(arguments[0]) if arguments else ""
        if not re.fullmatch(r"f[248]|[iu][1248]|b1", code):
            raise ValueError(f"has an array of the type {code!r}, which is not a plain number")
        self.code = code
        self.byte_order = "<"

    def build(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise ValueError("has an array without a byte order")
        self.byte_order = "<" if order == "=" else str(order)

    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.byte_order + self.code)


class _Array:
    """Stand-in for numpy's _reconstruct, whose arguments are not needed."""

    raw: bytes = b""

    def __init__(self, *arguments: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.type: _Dtype | None = None
        self.by_columns = False

    def build(self, state: object) -> None:
        match state:
            case (_, tuple() as shape, _Dtype() as dtype, int() as by_columns, bytes() as raw):
                pass
            case _:
                raise ValueError("has an array with an invalid state")
        if len(shape) > 8 or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError("has an array with an invalid shape")
        self.raw, self.shape, self.type, self.by_columns = raw, shape, dtype, bool(by_columns)

    def array(self) -> np.ndarray:
        if self.type is None:
            raise ValueError("has an array without values")
        flat = np.frombuffer(self.raw, self.type.dtype())
        array = flat.reshape(self.shape, order="F" if self.by_columns else "C")
        kept = np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
        with np.errstate(over="ignore"):  # overflow is refused later: not finite
            return array.astype(kept, order="C")


def _table(size: int) -> Mapping[str, Callable[..., Any]]:
    encoded = 0

    def encode(*arguments: object) -> bytes:
        nonlocal encoded
        text = arguments[0] if arguments else None
        if not isinstance(text, str) or arguments[1:] not in (("latin1",), ("latin-1",)):
            raise ValueError("encodes something other than bytes")
        encoded += len(text)
        if encoded > size:
            raise ValueError("describes more bytes than it has")
        return text.encode("latin-1")

    def no_call(*arguments: object) -> None:
        raise ValueError("calls numpy.ndarray")

    multiarray = {f"numpy.{core}.multiarray._reconstruct": _Array for core in ("core", "_core")}
    return {
        **multiarray,
        "numpy.ndarray": no_call,
        "numpy.dtype": _Dtype,
        "_codecs.encode": encode,
    }
