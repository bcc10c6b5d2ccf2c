"""Foreign weight files -> named arrays. One file a source; this folder is the list of them.

A source recognises its files by their content, never by their extension, and nothing that a file
says is ever executed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fullconv._registry import Registry
from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import Order, Triple, known


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


weights: Registry[Source] = Registry("fullconv.weights.sources", "weights source")

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
    note = f"conv1_1 is that of {whose.name}, so its normalization is used"
    return replace(
        read,
        mean=whose.mean,
        std=whose.std,
        order=read.order or order,
        notes=(*read.notes, note),
    )


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
