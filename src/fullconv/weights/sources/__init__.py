"""Read weights files of other frameworks as named arrays: one file per format.

A source recognizes its files by content, never by suffix, and executes nothing that a file holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fullconv._registry import Registry
from fullconv.errors import WeightsError
from fullconv.io.images import ExtraInput
from fullconv.networks.vgg_names import ChannelValues, Order, recognize


@dataclass(frozen=True)
class Weights:
    """The content of a weights file, in the paper's layer names.

    Attributes:
        arrays: "conv1_1.weight" (out, in, kh, kw), "bn1_1.running_mean", "fc6.weight" (also as the
            matrix (out, in * kh * kw)), "upscore2.weight" (in, out, kh, kw); float32, counters
            stay integers. Networks that are neither VGG nor FCN keep their own names.
        source: the software that wrote the file, e.g. "Caffe model, new format".
        mean: of red, green, blue and other channels, in [0, 255], subtracted from the input; None
            if unknown.
        std: likewise, in units of [0, 255], by which the input is then divided; None if unknown.
        order: channel order of the first convolution's input; None if unknown.
        notes: sentences for the user.
        classes: names of the scores' classes; None if unknown.
        inputs: channels after red, green and blue, as the authors' nets take them.
        streams: channels of each of several backbones; None for one.
        heads: names of several heads, and the number of scores of each, in order; {} for one head.
    """

    arrays: Mapping[str, np.ndarray]
    source: str
    mean: ChannelValues | None = None
    std: ChannelValues | None = None
    order: Order | None = None
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    inputs: tuple[ExtraInput, ...] = ()
    streams: tuple[int, ...] | None = None
    heads: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A format of weights files.

    Attributes:
        summary: its name for messages and docs.
        recognizes: (first 4096 bytes, path) -> whether the file has this format.
        read: (path, **options) -> its weights; raises WeightsError.
        options: names of the options of `read`.
    """

    summary: str
    recognizes: Callable[[bytes, Path], bool]
    read: Callable[..., Weights]
    options: frozenset[str] = frozenset()


sources: Registry[Source] = Registry("fullconv.weights.sources", "weights source")

# First bytes of files that are given by mistake, and what to do about each.
_MISTAKES = (
    (b"\x89HDF", "a Keras or HDF5 file; convert it to ONNX (tf2onnx) and give the .onnx file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run: git lfs pull"),
    (b"<", "a web page, so the download went wrong; download the file itself"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"name:", "the description of a Caffe net, without weights; give its .caffemodel"),
    (b"layer", "the description of a Caffe net, without weights; give its .caffemodel"),
)


def read_weights(path: Path, **options: object) -> Weights:
    """Read a weights file of any supported format.

    Args:
        path: the file; its suffix does not matter.
        options: options of some formats, e.g. fluid_dropout=True for Paddle.

    Raises:
        WeightsError: the file does not exist, no source recognizes it, it is damaged, it asks to
            run code, or its values are not finite.
        MissingExtraError: the file needs a package that is not installed.
    """
    source = _source(path)
    unknown = sorted(set(options) - source.options)
    if unknown:
        raise WeightsError(
            f"{path}: {source.summary} does not support the option {unknown[0]}; omit it"
        )
    return _validate(source.read(path, **options), path)


def _source(path: Path) -> Source:
    if not path.is_file():
        raise WeightsError(f"there is no weights file at {path}; give the path of a file")
    with path.open("rb") as file:
        head = file.read(4096)
    for name in sources:
        if sources[name].recognizes(head, path):
            return sources[name]
    if not head:
        raise WeightsError(f"{path} is empty; copy or download it again")
    for beginning, advice in _MISTAKES:
        if head.lstrip().startswith(beginning):
            raise WeightsError(f"{path} is {advice}")
    supported = "; ".join(sources[name].summary for name in sources)
    raise WeightsError(f"{path} is not a supported weights file; supported: {supported}")


def _validate(read: Weights, path: Path) -> Weights:
    """Drop layers without values, refuse values that are not finite, recognize known weights."""
    arrays = dict(read.arrays)
    # In torchvision's IMAGENET1K_FEATURES, the classifier is NaN throughout.
    empty = [name for name in arrays if arrays[name].size and np.isnan(arrays[name]).all()]
    for name in empty:
        del arrays[name]
    for name, array in arrays.items():
        if array.size and not np.isfinite([array.min(), array.max()]).all():
            raise WeightsError(
                f"{path}: {name} has values that are not finite, so its training had diverged; "
                "use an earlier file"
            )
        if name.endswith("running_var") and array.size and array.min() < 0:
            raise WeightsError(f"{path}: {name} has a variance below zero; the file is damaged")
    if not arrays:
        raise WeightsError(f"{path} holds no weights; give a file that was saved after training")
    notes = read.notes
    if empty:
        notes = (*notes, f"left out, all values are NaN: {format_names(empty)}")
    read = replace(read, arrays=arrays, notes=notes)
    return read if read.mean else _with_known_normalization(read)


def _with_known_normalization(read: Weights) -> Weights:
    published = recognize(read.arrays)
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


def format_names(names: Sequence[str]) -> str:
    """Return array names grouped by layer: conv1_1.{weight,bias} conv1_2.{weight,bias}."""
    layers: dict[str, list[str]] = {}
    for name in names:
        layer, _, kind = name.rpartition(".")
        layers.setdefault(layer, []).append(kind)
    return " ".join(
        f"{layer}.{{{','.join(kinds)}}}" if len(kinds) > 1 else f"{layer}.{kinds[0]}".lstrip(".")
        for layer, kinds in layers.items()
    )
