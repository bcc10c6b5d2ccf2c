"""Foreign weight files -> named arrays. One file a source; this folder is the list of them.

A source recognises its files by their content, never by their extension, and nothing that a file
says is ever executed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fullconv.adoption import adopt_normalisation, adopt_scales
from fullconv.errors import WeightsError
from fullconv.registry import Registry
from fullconv.surgery import Transplant, bare, transplant
from fullconv.vggnames import Order, Triple, known


@dataclass(frozen=True)
class Weights:
    """What a weights file holds, in the paper's layer names.

    Attributes:
        arrays: "conv1_1.weight" (out, in, kh, kw), "bn1_1.running_mean", "fc6.weight" (also as the
            matrix (out, in * kh * kw)), "upscore2.weight" (in, out, kh, kw); float32, counters
            stay integers. Nets that are neither VGG nor FCN keep their own names.
        source: what wrote the file, e.g. "Caffe model, new format".
        mean: RGB, in [0, 255], subtracted from the input; None where nobody says.
        std: RGB, in [0, 255] units, by which the input is then divided; None where nobody says.
        order: of the channels that the first convolution sees; None where nobody says.
        notes: what a user should know, one sentence each.
    """

    arrays: Mapping[str, np.ndarray]
    source: str
    mean: Triple | None = None
    std: Triple | None = None
    order: Order | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One kind of weights file.

    Attributes:
        summary: the kind in a few words, for messages and docs.
        recognises: (first 4096 bytes, path) -> whether the file is of this kind.
        read: (path, **options) -> its weights; raises WeightsError.
        options: names of the options that `read` takes.
    """

    summary: str
    recognises: Callable[[bytes, Path], bool]
    read: Callable[..., Weights]
    options: frozenset[str] = frozenset()


weights: Registry[Source] = Registry("fullconv.weights", "weights source")

# Beginnings of files that people give us by mistake, and what to do about each.
_MISTAKES = (
    (b"\x89HDF", "a Keras or HDF5 file; convert it to ONNX (tf2onnx) and give the .onnx file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run: git lfs pull"),
    (b"<", "a web page, so the download went wrong; download the file itself"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"name:", "the description of a Caffe net, without weights; give its .caffemodel"),
    (b"layer", "the description of a Caffe net, without weights; give its .caffemodel"),
)


def read_weights(path: Path, **options: object) -> Weights:
    """Read a weights file of any known kind.

    Args:
        path: the file; its extension does not matter.
        options: what only some kinds know, e.g. fluid_dropout=True for Paddle.

    Raises:
        WeightsError: there is no such file, no source recognises it, it is damaged, it asks to
            run code, or its values are not finite.
        MissingExtraError: the file needs a package that is not installed.
    """
    source = _source(path)
    unknown = sorted(set(options) - source.options)
    if unknown:
        raise WeightsError(
            f"{path} is a {source.summary}, for which the option {unknown[0]} has no meaning; "
            "leave it away"
        )
    return _finished(source.read(path, **options), path)


def _source(path: Path) -> Source:
    if not path.is_file():
        raise WeightsError(f"there is no weights file at {path}; give the path of a file")
    with path.open("rb") as file:
        head = file.read(4096)
    for name in weights:
        if weights[name].recognises(head, path):
            return weights[name]
    if not head:
        raise WeightsError(f"{path} is empty; copy or download it again")
    for beginning, advice in _MISTAKES:
        if head.lstrip().startswith(beginning):
            raise WeightsError(f"{path} is {advice}")
    known_kinds = "; ".join(weights[name].summary for name in weights)
    raise WeightsError(f"{path} is none of the known kinds of weights file: {known_kinds}")


def _finished(read: Weights, path: Path) -> Weights:
    """Leave out layers without values, refuse broken ones, and know published weights again."""
    arrays = dict(read.arrays)
    # torchvision says of IMAGENET1K_FEATURES that its classifier misses values.
    empty = [name for name in arrays if arrays[name].size and np.isnan(arrays[name]).all()]
    for name in empty:
        del arrays[name]
    for name, array in arrays.items():
        if array.size and not np.isfinite([array.min(), array.max()]).all():
            raise WeightsError(
                f"{path}: {name} has values that are not finite, so the training that wrote it "
                "had diverged; use an earlier file"
            )
    if not arrays:
        raise WeightsError(f"{path} holds no weights; give a file that was saved after training")
    notes = (*read.notes, f"left out, nan all through: {compact(empty)}") if empty else read.notes
    read = replace(read, arrays=arrays, notes=notes)
    return read if read.mean else _recognised(read)


def _recognised(read: Weights) -> Weights:
    published = known(read.arrays)
    if published is None:
        return read
    whose, order = published
    note = f"conv1_1 is that of {whose.name}, so its normalisation is used"
    return replace(
        read,
        mean=whose.mean,
        std=whose.std,
        order=read.order or order,
        notes=(*read.notes, note),
    )


@dataclass(frozen=True)
class Loaded:
    """What `load_weights` did, by name.

    Attributes:
        source: what wrote the file.
        taken: arrays that the network now has.
        reshaped: likewise, in another shape with the same numbers (fc -> convolution).
        missing: arrays of the network that the file does not hold, left as they were.
        left_over: arrays of the file that the network has no place for.
        notes: what a user should know, one sentence each.
    """

    source: str
    taken: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        groups = {
            "taken": self.taken,
            "taken in another shape": self.reshaped,
            "not in the file, left as they were": self.missing,
            "in the file, without a place here": self.left_over,
        }
        lines = [
            f"{len(names)} {what}: {compact(names)}" for what, names in groups.items() if names
        ]
        return "\n".join([self.source, *lines, *(f"note: {note}" for note in self.notes)])


def load_weights(
    network: nn.Module,
    path: str | Path,
    *,
    strict: bool = False,
    fluid_dropout: bool = False,
) -> Loaded:
    """Copy a weights file of any known kind into a network, by layer name.

    What the file says (or is known) about the input's normalisation becomes the network's, if
    its first layer was taken; so do the factors of the skips of an at-once net.

    Args:
        network: changed in place, also where this raises because of `strict`.
        path: .caffemodel, .pdparams, .pth, .safetensors, .onnx; known by content.
        strict: refuse a file that does not fill the network, or that has more.
        fluid_dropout: for Paddle files trained with fluid's Dropout.

    Raises:
        WeightsError: the file cannot be used, or nothing in it fits.
        MissingExtraError: the file needs a package that is not installed.
    """
    path = Path(path)
    options = {"fluid_dropout": True} if fluid_dropout else {}
    return place(network, read_weights(path, **options), path, strict)


def place(network: nn.Module, read: Weights, path: Path, strict: bool = False) -> Loaded:
    """Copy what was read from `path` into a network; see `load_weights`."""
    arrays = dict(read.arrays)
    notes = [*read.notes, *adopt_scales(network, arrays)]
    done = transplant(network, {name: torch.from_numpy(arrays[name]) for name in arrays})
    if not done.taken and not done.reshaped:
        raise WeightsError(f"nothing in {path} fits the network: {_both_sides(network, arrays)}")
    if strict and (done.missing or done.left_over):
        raise WeightsError(
            f"{path} does not fill the network exactly, as strict demands; not in the file: "
            f"{compact(done.missing) or 'nothing'}; only in the file: "
            f"{compact(done.left_over) or 'nothing'}"
        )
    notes += _other_shapes(network, arrays, done)
    if bare(next(iter(network.state_dict()))) not in done.missing:
        notes += adopt_normalisation(network, read.mean, read.std, read.order)
    return Loaded(
        read.source, done.taken, done.reshaped, done.missing, done.left_over, tuple(notes)
    )


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {bare(name): tuple(value.shape) for name, value in network.state_dict().items()}


def _other_shapes(
    network: nn.Module, arrays: Mapping[str, np.ndarray], done: Transplant
) -> list[str]:
    here = _shapes(network)
    names = [name for name in done.left_over if bare(name) in here]
    told = [f"{name} {arrays[name].shape} in the file, {here[bare(name)]} here" for name in names]
    rest = [f"and {len(told) - 3} more"] if len(told) > 3 else []
    return [f"other shapes: {'; '.join([*told[:3], *rest])}"] if told else []


def _both_sides(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> str:
    def three(shapes: Mapping[str, tuple[int, ...]]) -> str:
        return ", ".join(f"{name} {shapes[name]}" for name in list(shapes)[:3])

    held = {name: array.shape for name, array in arrays.items()}
    return f"it holds {three(held)}, ...; the network wants {three(_shapes(network))}, ..."


def compact(names: Sequence[str]) -> str:
    """Array names by layer: conv1_1.{weight,bias} conv1_2.{weight,bias}."""
    layers: dict[str, list[str]] = {}
    for name in names:
        layer, _, kind = name.rpartition(".")
        layers.setdefault(layer, []).append(kind)
    return " ".join(
        f"{layer}.{{{','.join(kinds)}}}" if len(kinds) > 1 else f"{layer}.{kinds[0]}".lstrip(".")
        for layer, kinds in layers.items()
    )
