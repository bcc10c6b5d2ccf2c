"""Read the files of torch.save as data: the archive (since 1.6) and the older stream of pickles.

A tensor in the pickle names a storage, an offset, a size and strides. All of them are compared
with the bytes that the file has before any array is made.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fullconv.weights.sources._pickle import Dropped, rebuild

# The magic number that torch.save wrote before version 1.6, in a pickle of any protocol.
LEGACY = re.compile(rb"\x80.(\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.", re.DOTALL)

_TYPES = {
    "Double": "f8", "Float": "f4", "Half": "f2", "BFloat16": "bf16", "Long": "i8", "Int": "i4",
    "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "b1", "Untyped": "u1",
}  # fmt: skip
_DTYPES = {
    "float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "bf16", "int64": "i8",
    "int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1", "bool": "b1", "uint16": "u2",
    "uint32": "u4", "uint64": "u8",
}  # fmt: skip
# Bookkeeping of trainings that stands beside the weights; it is skipped, not created.
_BOOKKEEPING = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|typing\.Any"
    r"|pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path|datetime\.(datetime|date|timedelta|timezone)"
    r"|collections\.(defaultdict|deque)|(__builtin__|builtins)\.(set|frozenset|list|dict|slice)"
    r"|numpy\.(dtype|ndarray|(float|int|uint)\d+|bool_?|dtypes\.\w+)"
    r"|numpy\.(_core|core)\.multiarray\.(scalar|_reconstruct)|_codecs\.encode"
    r"|omegaconf\.[\w.]+|easydict\.EasyDict|addict\.[\w.]+|yacs\.config\.CfgNode"
    r"|(pytorch_lightning|lightning|lightning_fabric|lightning_utilities|mmengine|mmcv)\.[\w.]+"
    r"|torch\.(torch_version\.TorchVersion|device)"
)
SHARED = 4  # most bytes of all tensors, in sizes of the file: tied weights share a storage


@dataclass(frozen=True)
class Storage:
    """Numbers in the file: a key, a type code and how many there are."""

    key: str
    type: str
    length: int

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return 2 if self.type == "bf16" else np.dtype(self.type).itemsize


@dataclass(frozen=True)
class LazyTensor:
    """A view of a storage, whose numbers are not read yet."""

    storage: Storage
    type: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers."""
        return prod(self.shape) * (2 if self.type == "bf16" else np.dtype(self.type).itemsize)


class _Dict(dict[Any, Any]):
    """An OrderedDict; its state (the versions of modules) is not needed."""

    def __init__(self, pairs: object = ()) -> None:
        super().__init__()
        for pair in pairs if isinstance(pairs, list | tuple) else ():
            if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
                raise ValueError("has a dict of something that is not a name and a value")
            self[pair[0]] = pair[1]

    def build(self, state: object) -> None:
        """Ignore the state."""


def read_torch_file(path: Path) -> tuple[object, Callable[[LazyTensor], np.ndarray]]:
    """Return what the file holds, with lazy tensors, and a function that reads one of them.

    Raises:
        ValueError: torch.save does not write such a file; ForbiddenNameError for a name that is
            neither a tensor's nor bookkeeping.
        zipfile.BadZipFile, OSError: the archive is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return _read_archive(path, size)
        file.seek(0)
        return _read_stream(file, size)


def _read_archive(path: Path, size: int) -> tuple[object, Callable[[LazyTensor], np.ndarray]]:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        root = next(n for n in entries if n.endswith("/data.pkl")).removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in entries and archive.read(order) != b"little":
            raise ValueError("its numbers are in big-endian order")
        with archive.open(f"{root}data.pkl") as file:
            held = entries[f"{root}data.pkl"].file_size
            found = rebuild(file, held, _TABLE, _BOOKKEEPING, _persistent(size))

    def numbers(storage: Storage) -> bytes:
        entry = entries.get(f"{root}data/{storage.key}")
        if entry is None:
            raise ValueError(f"the numbers of storage {storage.key[:40]} are missing")
        with path.open("rb") as file:
            file.seek(entry.header_offset + 26)
            skipped = sum(struct.unpack("<HH", file.read(4)))
            file.seek(skipped, 1)
            content = file.read(entry.file_size)
        if entry.CRC and zlib.crc32(content) != entry.CRC:
            raise ValueError(f"the checksum of storage {storage.key[:40]} is wrong")
        return content

    return found, _reader(numbers)


def _read_stream(file: BinaryIO, size: int) -> tuple[object, Callable[[LazyTensor], np.ndarray]]:
    storages: dict[str, Storage] = {}

    def persistent(argument: object) -> Storage:
        storage = _persistent(size)(argument)
        return storages.setdefault(storage.key, storage)

    _, _, system = (rebuild(file, size, {}) for _ in range(3))  # magic number, version, system
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ValueError("its numbers are in big-endian order")
    found = rebuild(file, size, _TABLE, _BOOKKEEPING, persistent)
    keys = rebuild(file, size, {})
    places: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages:
            raise ValueError("it lists numbers that no tensor has")
        length = int.from_bytes(file.read(8), "little")
        places[key] = (file.tell(), length * storages[key].itemsize)
        if sum(places[key]) > size:
            raise ValueError(f"a tensor claims {length:,} values")
        file.seek(sum(places[key]))
    path = Path(file.name)

    def numbers(storage: Storage) -> bytes:
        if storage.key not in places:
            raise ValueError(f"the numbers of storage {storage.key[:40]} are missing")
        begin, length = places[storage.key]
        with path.open("rb") as again:
            again.seek(begin)
            return again.read(length)

    return found, _reader(numbers)


def _reader(numbers: Callable[[Storage], bytes]) -> Callable[[LazyTensor], np.ndarray]:
    """Return the function that reads a tensor; the last storage is kept, as views may share it."""
    last: list[tuple[str, bytes]] = []

    def read(tensor: LazyTensor) -> np.ndarray:
        if not last or last[0][0] != tensor.storage.key:
            last[:] = [(tensor.storage.key, numbers(tensor.storage))]
        return _view(last[0][1], tensor)

    return read


def _view(content: bytes, tensor: LazyTensor) -> np.ndarray:
    """Return a copy of a tensor's numbers; bfloat16 becomes float32."""
    code = "<u2" if tensor.type == "bf16" else f"<{tensor.type}"
    itemsize = np.dtype(code).itemsize
    flat = np.frombuffer(content[: len(content) // itemsize * itemsize], code)
    sides = zip(tensor.shape, tensor.stride, strict=True)
    last = tensor.offset + sum((side - 1) * step for side, step in sides)
    if prod(tensor.shape) and last >= len(flat):
        raise ValueError(f"a tensor reaches to number {last + 1:,} of {len(flat):,}")
    if not prod(tensor.shape):
        return np.zeros(tensor.shape, np.float32)
    sides = zip(tensor.shape, tensor.stride, strict=True)
    strides = [step * itemsize if side > 1 else 0 for side, step in sides]
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides)
    if tensor.type == "bf16":
        return (view.astype(np.uint32, order="C") << 16).view(np.float32)
    return view.astype(view.dtype.newbyteorder("="), order="C")  # a copy


def _persistent(size: int) -> Callable[[object], Storage]:
    """Return the function that reads the persistent id of a storage."""

    def read(argument: object) -> Storage:
        match argument:
            case ("storage", stand_in, str() as key, str(), int() as length, *_):
                pass
            case _:
                raise ValueError("refers to something that is not a storage")
        kind = stand_in() if callable(stand_in) else None
        if not isinstance(kind, str):
            raise ValueError("has a storage of an unknown type")
        storage = Storage(key, kind, length)
        if not 0 <= length * storage.itemsize <= size:
            raise ValueError(f"a tensor claims {length:,} values")
        return storage

    return read


def _tensor(storage: object, offset: object, size: object, stride: object, *rest: object) -> Any:
    """Stand in for _rebuild_tensor and _rebuild_tensor_v2; v3 has the type as its last argument."""
    dtype = rest[2] if len(rest) > 2 else None
    kind = dtype() if callable(dtype) else None
    if not isinstance(storage, Storage) or not isinstance(offset, int) or offset < 0:
        raise ValueError("has a tensor without numbers")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise ValueError("has a tensor with an invalid shape")
    if len(size) > 8 or not all(isinstance(side, int) and side >= 0 for side in (*size, *stride)):
        raise ValueError("has a tensor with an invalid shape")
    return LazyTensor(storage, kind or storage.type, offset, size, stride)


def _parameter(data: object, *rest: object) -> object:
    return data


def _subclass(function: object, kind: object, arguments: object, *rest: object) -> object:
    """Stand in for _rebuild_from_type_v2: a tensor of a subclass, or with attributes."""
    if not callable(function) or not isinstance(arguments, tuple):
        raise ValueError("has a tensor with an invalid type")
    return function(*arguments)


def _table() -> Mapping[str, Callable[..., Any]]:
    def constant(value: str) -> Callable[..., str]:
        return lambda: value

    names: dict[str, Callable[..., Any]] = {
        "collections.OrderedDict": _Dict,
        "collections.Counter": Dropped,
        "torch.Size": lambda sides=(): tuple(sides) if isinstance(sides, list | tuple) else (),
        "torch.nn.parameter.Parameter": _parameter,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._tensor._rebuild_from_type_v2": _subclass,
        "torch.Tensor": Dropped,
    }
    for version in ("", "_v2", "_v3"):
        names[f"torch._utils._rebuild_tensor{version}"] = _tensor
    for kind, code in _TYPES.items():
        for place in ("torch.", "torch.cuda.", "torch.storage."):
            names[f"{place}{kind}Storage"] = constant(code)
    for kind, code in _DTYPES.items():
        names[f"torch.{kind}"] = constant(code)
    return names


_TABLE = _table()
