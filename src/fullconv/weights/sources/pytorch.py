"""Read PyTorch's .pth and .pt files: state dicts of pytorch-fcn, torchvision and others.

Files are loaded by `torch.load(weights_only=True)` only, after the names in their pickle have been
compared with the few that tensors need.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import CAFFE_MEAN, paper_names
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._pickle import Readable, read_instructions

# The magic number that torch.save wrote before version 1.6, in a pickle of any protocol.
_LEGACY = re.compile(rb"\x80.(\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.", re.DOTALL)
_NEEDED = re.compile(
    r"collections\.(OrderedDict|Counter)"
    r"|torch\.(cuda\.)?\w+Storage|torch\.storage\.(Untyped|Typed)Storage"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter)"
    r"|torch\.(Size|device|[a-z]+\d+)|torch\.nn\.parameter\.Parameter"
    r"|(__builtin__|builtins)\.set"
)
_NESTED = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


def _recognises(head: bytes, path: Path) -> bool:
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or bool(_LEGACY.match(head))


def read(path: Path) -> Weights:
    """Read a state dict, also of a checkpoint that has it under state_dict or model.

    Raises:
        WeightsError: the file is a TorchScript program, asks for more than tensors, has no
            tensors, or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
        file.seek(0)
        try:
            asked = _asked_in_zip(path, size) if zipped else _asked_in_legacy(file, size)
        except (ValueError, zipfile.BadZipFile, NotImplementedError, OSError) as error:
            raise _damaged(path, error) from error
        _refuse(asked, path)
        file.seek(0)
        try:
            # A file, not its path: torch trusts the suffix of a path.
            found = torch.load(file, map_location="cpu", weights_only=True)
        # torch's readers raise many kinds of errors for a damaged file.
        except Exception as error:
            raise _damaged(path, error) from error
    tensors, notes = _state_dict(found, path)
    arrays = {name: _array(name, tensor, size, path) for name, tensor in tensors.items()}
    return _named(arrays, notes)


sources.register("pytorch")(Source("PyTorch state dict (.pth, .pt)", _recognises, read))


def _asked_in_zip(path: Path, size: int) -> set[str]:
    """Return the names that the archive's pickle asks for.

    Raises:
        WeightsError: the archive is a TorchScript program, or not torch's.
        ValueError: torch.save does not write such an archive.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if any(re.search(r"(^|/)(constants\.pkl|code/)", name) for name in names):
            raise WeightsError(
                f"{path} is a TorchScript program, and loading it would run it; save the state "
                "dict instead: torch.save(model.state_dict(), ...)"
            )
        pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
        if len(pickles) != 1:
            kinds = sorted({Path(name).suffix for name in names})[:5]
            raise WeightsError(
                f"{path} is a zip archive of {', '.join(kinds) or 'nothing'}, which torch did not "
                "write; give a file that torch.save wrote"
            )
        unsafe = [name for name in names if name.startswith("/") or ".." in name or "\\" in name]
        if unsafe or len(set(names)) != len(names):
            raise ValueError("its entries have names that torch does not give")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed, which torch never does")
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("its entries claim to be larger than the file")
        with archive.open(pickles[0]) as file:
            return _asked(file, pickles[0].file_size, size)


def _asked_in_legacy(file: Readable, size: int) -> set[str]:
    """Return the names in five pickles: magic number, version, machine, data, storage names."""
    return set().union(*(_asked(file, size, size) for _ in range(5)))


def _asked(file: Readable, size: int, most: int) -> set[str]:
    """Return the names that the pickle at the file's position asks for.

    Args:
        file: the pickle.
        size: bytes of that file.
        most: largest possible number of values of a tensor.

    Raises:
        ValueError: torch does not write such instructions, or a size exceeds the file.
    """
    asked: set[str] = set()
    number = 0
    for name, argument in read_instructions(file, size):
        if name == "GLOBAL":
            asked.add(argument.replace(" ", ".", 1))
        elif name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
            asked.add(f"an object ({name})")
        elif isinstance(argument, int) and name.startswith(("BININT", "LONG1")):
            number = argument
        elif name == "BINPERSID" and number > most:  # the last number before it is the length
            raise ValueError(f"a tensor claims {number:,} values")
    return asked


def _refuse(asked: set[str], path: Path) -> None:
    forbidden = sorted(name for name in asked if not _NEEDED.fullmatch(name))
    if forbidden:
        raise WeightsError(
            f"{path} asks for {', '.join(forbidden[:3])}, which weights never need; nothing of it "
            "was run. Save the state dict alone, in the program that wrote the file: "
            "torch.save(model.state_dict(), ...)"
        )


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = str(error).partition("\n")[0][:200] or type(error).__name__
    return WeightsError(
        f"{path} looks like a PyTorch file but cannot be read: {reason}; copy or download it again"
    )


def _state_dict(found: object, path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the tensors by name, and a note about other entries."""
    for _ in _NESTED:
        inner = [found[key] for key in _NESTED if key in found] if isinstance(found, dict) else []
        if inner and isinstance(inner[0], dict):
            found = inner[0]
    entries = found if isinstance(found, dict) else {}
    tensors = {str(key): value for key, value in entries.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise WeightsError(
            f"{path} holds no tensors by name; give a state dict: "
            "torch.save(model.state_dict(), ...)"
        )
    others = [str(key) for key in entries if str(key) not in tensors]
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors, [f"entries that are not tensors: {', '.join(others)}"] if others else []


def _array(name: str, tensor: torch.Tensor, size: int, path: Path) -> np.ndarray:
    """Return a copy of the tensor's values.

    A few bytes may claim to be a huge tensor (stride 0), so the size is checked first.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise WeightsError(
            f"{path}: {name} is sparse, quantized or complex; save it as plain numbers"
        )
    if tensor.numel() * tensor.element_size() > size:
        raise WeightsError(f"{path}: {name} claims more values than the file has; it is damaged")
    kept = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(kept, copy=True).contiguous().numpy()


def _named(arrays: Mapping[str, np.ndarray], notes: list[str]) -> Weights:
    if {"conv1_1.weight", "score_fr.weight"} <= arrays.keys():
        return Weights(
            arrays,
            "pytorch-fcn state dict",
            mean=CAFFE_MEAN,
            std=(1.0, 1.0, 1.0),
            order="bgr",
            notes=(*notes, "the mean and the channel order are those that pytorch-fcn uses"),
        )
    names = paper_names({name: array.shape for name, array in arrays.items()})
    if names:
        source = "PyTorch state dict, VGG with numbered layers"
        arrays = {names.get(name, name): array for name, array in arrays.items()}
    else:
        source = "PyTorch state dict"
        notes = [*notes, "the layers are not named as in the paper; their names are kept"]
    return Weights(arrays, source, notes=tuple(notes))
