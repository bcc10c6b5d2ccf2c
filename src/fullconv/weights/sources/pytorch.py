"""Read PyTorch's .pth and .pt files: state dicts and checkpoints of any program.

Nothing in a file is called or imported: its pickle is read as data. Names beside those of tensors
and of usual bookkeeping are refused.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import CAFFE_MEAN
from fullconv.weights._nesting import find_arrays
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._names import paper_arrays
from fullconv.weights.sources._pickle import ForbiddenNameError
from fullconv.weights.sources._torch_file import LEGACY, SHARED, LazyTensor, read_torch_file


def _recognises(head: bytes, path: Path) -> bool:
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or bool(LEGACY.match(head))


def read(path: Path) -> Weights:
    """Read a state dict, also of a checkpoint that has it among other entries.

    Raises:
        WeightsError: the file is a TorchScript program, asks for more than tensors, has no
            tensors, or is damaged.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                _check_archive(path, size)
        found, read_tensor = read_torch_file(path)
        tensors, notes = find_arrays(found, LazyTensor)
        if not tensors:
            raise WeightsError(
                f"{path} holds no tensors by name; give a state dict: "
                "torch.save(model.state_dict(), ...)"
            )
        if any(tensor.nbytes > size for tensor in tensors.values()):
            raise ValueError("a tensor claims more values than the file has")
        if sum(tensor.nbytes for tensor in tensors.values()) > SHARED * size:
            raise ValueError(
                f"its tensors share numbers and take more than {SHARED} times its size"
            )
        # In the order of the storages, so that each is read once.
        order = sorted(tensors, key=lambda name: tensors[name].storage.key)
        arrays = {name: read_tensor(tensors[name]) for name in order}
    except ForbiddenNameError as error:
        raise WeightsError(
            f"{path} asks for {error.name[:100]}, which weights never need; nothing of it was run. "
            "Save the state dict alone, in the program that wrote the file: "
            "torch.save(model.state_dict(), ...)"
        ) from error
    except WeightsError:
        raise
    except (ValueError, zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise _damaged(path, error) from error
    return _named({name: _float32(arrays[name]) for name in tensors}, notes)


sources.register("pytorch")(Source("PyTorch state dict (.pth, .pt)", _recognises, read))


def _check_archive(path: Path, size: int) -> None:
    """Check that an archive is one that torch.save writes.

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
    if sum(name.endswith("/data.pkl") for name in names) != 1:
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


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = str(error).partition("\n")[0][:200] or type(error).__name__
    return WeightsError(
        f"{path} looks like a PyTorch file but cannot be read: {reason}; copy or download it again"
    )


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # overflow is refused later: not finite
        return array.astype(np.float32) if array.dtype.kind == "f" else array


def _named(arrays: Mapping[str, np.ndarray], notes: list[str]) -> Weights:
    vgg = paper_arrays(arrays)
    notes = [*notes, *vgg.notes]
    # A state dict of fullconv has the same names, after a prefix, and another normalization.
    ours = any("backbone." in name for name in arrays) or "bn1_1.weight" in vgg.arrays
    if {"conv1_1.weight", "score_fr.weight"} <= vgg.arrays.keys() and not ours:
        return Weights(
            vgg.arrays,
            "pytorch-fcn state dict",
            mean=CAFFE_MEAN,
            std=(1.0, 1.0, 1.0),
            order="bgr",
            notes=(*notes, "the mean and the channel order are those that pytorch-fcn uses"),
        )
    if vgg.renamed:
        return Weights(vgg.arrays, "PyTorch state dict, VGG with other names", notes=tuple(notes))
    if "conv1_1.weight" not in vgg.arrays:
        notes.append("the layers are not named as in the paper; their names are kept")
    return Weights(vgg.arrays, "PyTorch state dict", notes=tuple(notes))
