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
from fullconv.weights._nesting import find_arrays
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._names import paper_arrays
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
    arrays, notes = _arrays(path)
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


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays in the paper's names, and notes."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            state = rebuild(file, size, _table(size))
        if not isinstance(state, dict):
            raise ValueError(f"holds a {type(state).__name__} where a dict is expected")
        state.pop(_NAME_TABLE, None)
        found, notes = find_arrays(state, _Array)
        if sum(len(array.raw) for array in found.values()) > size:
            raise ValueError("describes more values than it has")
        arrays = {name: _torch_layout(array.array()) for name, array in found.items()}
        vgg = paper_arrays(paper_stems(arrays))
        return vgg.arrays, [*notes, *vgg.notes]
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


def paper_stems(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give arrays the paper's layer names instead of those of the course.

    Raises:
        ValueError: two arrays would get the same name.
    """
    names = {name: _paper_name(name) for name in arrays}
    if len(set(names.values())) < len(names):
        raise ValueError("has two arrays with the same meaning")
    return {names[name]: array for name, array in arrays.items()}


def _paper_name(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    layer = re.sub(
        r"(^|\.)layer(\d)\.(\d+)\.(conv|bn)$",
        lambda match: f"{match[1]}{match[4]}{match[2]}_{int(match[3]) + 1}",
        layer,
    )
    return f"{_LAYERS.get(layer, layer)}.{_KINDS.get(kind, kind)}".lstrip(".")


def _torch_layout(array: np.ndarray) -> np.ndarray:
    """Transpose the matrix of a Linear, which Paddle stores as (in, out)."""
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array


class _Dtype:
    """Stand-in for numpy.dtype; plain numbers only."""

    def __init__(self, *arguments: object) -> None:
        code = arguments[0] if arguments else ""
        if not isinstance(code, str):  # its text could be endless: lists can hold each other
            raise ValueError(f"has a {type(code).__name__} as the type of an array")
        if not re.fullmatch(r"f[248]|[iu][1248]|b1", code):
            raise ValueError(f"has an array of the type {code[:40]!r}, which is not a plain number")
        self.code = code
        self.byte_order = "<"

    def build(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if not isinstance(order, str) or order not in ("<", ">", "|", "="):
            raise ValueError("has an array without a byte order")
        self.byte_order = "<" if order == "=" else order

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
            if self.type.code == "u2":  # numpy lacks bfloat16, so Paddle stores its bits
                return (array.astype(np.uint32) << 16).view(np.float32)
            return array.astype(kept, order="C")


def _table(size: int) -> Mapping[str, Callable[..., Any]]:
    encoded = 0

    def encode(*arguments: object) -> bytes:
        nonlocal encoded
        text = arguments[0] if arguments else None
        encodings = [name for name in arguments[1:] if name in ("latin1", "latin-1")]
        if not isinstance(text, str) or len(arguments) != 2 or not encodings:
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
