"""Read Caffe models (.caffemodel): a protocol buffer of layers with blobs of numbers.

Both layouts are supported: `layer` (field 100, types as strings, blobs with a shape) and the older
`layers` (field 2, types as numbers, four-dimensional blobs), as in the first VGG files. Field
numbers are those of BVLC/caffe's src/caffe/proto/caffe.proto.
"""

import math
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fullconv.errors import WeightsError
from fullconv.io.protobuf import (
    EIGHT_BYTES,
    FOUR_BYTES,
    LENGTH,
    VARINT,
    ProtoField,
    read_fields,
    read_tags,
    read_varint,
)
from fullconv.networks.vgg_names import CAFFE_MEAN
from fullconv.weights.sources import Source, Weights, sources
from fullconv.weights.sources._authors_nets import authors_net


@dataclass(frozen=True)
class Layout:
    """Field numbers and type names of a layer in one layout."""

    name: int
    type: int
    bottom: int
    top: int
    blobs: int
    # Types are strings in the new layout and these numbers in the old one.
    types: tuple[tuple[int, str], ...] = ()


NEW = Layout(name=1, type=2, bottom=3, top=4, blobs=7)
OLD_TYPES = (
    *((4, "Convolution"), (14, "InnerProduct"), (39, "Deconvolution"), (15, "LRN")),
    *((6, "Dropout"), (17, "Pooling"), (18, "ReLU"), (20, "Softmax"), (22, "Split")),
)
OLD = Layout(name=4, type=5, bottom=2, top=3, blobs=6, types=OLD_TYPES)
LAYOUTS = {100: NEW, 2: OLD}
# Types without weights, which no note has to mention.
PLAIN = {"Crop", "Dropout", "Eltwise", "Input", "LRN", "Pooling", "ReLU", "Softmax", "Split"}

# More than any network has; they bound the memory that a hostile file can take.
MOST_LAYERS, MOST_BLOBS, MOST_SIDES = 10_000, 16, 32


@dataclass(frozen=True)
class CaffeLayer:
    """A layer of the file; `bottom` and `top` are its first input and output."""

    name: str
    type: str
    bottom: str
    top: str
    blobs: tuple[np.ndarray, ...]


def _recognises(head: bytes, path: Path) -> bool:
    """Return whether the first fields are those of a NetParameter up to its first layer."""
    for number, wire in read_tags(memoryview(head)):
        if number in LAYOUTS:
            return wire == LENGTH
        if number > 8 or (number in (1, 3, 8) and wire != LENGTH):
            return False
    return False


def read(path: Path) -> Weights:
    """Read a Caffe model; layers keep their names.

    Raises:
        WeightsError: the file is damaged.
    """
    try:
        with path.open("rb") as file:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        old, layers = _layers(memoryview(whole))
        arrays = _named(layers)
    except ValueError as error:
        raise WeightsError(
            f"{path} looks like a Caffe model but is damaged: {error}; copy or download it again"
        ) from error
    source = f"Caffe model, {'old' if old else 'new'} format"
    if net := authors_net(arrays):
        return Weights(
            net.arrays,
            source,
            mean=net.mean,
            std=net.std,
            order=net.order,
            notes=(net.note,),
            inputs=net.inputs,
            streams=net.streams,
            heads=net.heads,
        )
    bare = [layer.name for layer in layers if not layer.blobs and layer.type not in PLAIN]
    notes = [f"layers without weights: {', '.join(bare)}"] if bare else []
    vgg = "conv1_1.weight" in arrays
    if vgg:
        notes.append(
            "the mean is that of VGG and of the authors' VOC nets (a Caffe model does not hold "
            "its own; those of SIFT Flow and NYUD differ)"
        )
    return Weights(
        arrays,
        source,
        mean=CAFFE_MEAN if vgg else None,
        std=(1.0, 1.0, 1.0) if vgg else None,
        order="bgr",
        notes=tuple(notes),
    )


sources.register("caffe")(Source("Caffe model (.caffemodel)", _recognises, read))


def _layers(message: memoryview) -> tuple[bool, list[CaffeLayer]]:
    """Return whether any layer has the old layout, and the layers."""
    numbers, layers = set(), []
    for found in read_fields(message):
        if found.number in LAYOUTS and isinstance(found.value, memoryview):
            numbers.add(found.number)
            layers.append(_layer(found.value, LAYOUTS[found.number]))
        if len(layers) > MOST_LAYERS:
            raise ValueError(f"it has more than {MOST_LAYERS:,} layers")
    return 2 in numbers, layers


def _layer(message: memoryview, layout: Layout) -> CaffeLayer:
    texts: dict[int, str] = {}
    blobs: list[np.ndarray] = []
    for found in read_fields(message):
        if found.number == layout.blobs:
            blobs.append(_blob(_bytes(found)))
        elif found.number in (layout.name, layout.type, layout.bottom, layout.top):
            texts.setdefault(found.number, _text(found, layout))
        elif found.number == 1:
            raise ValueError(
                "its layers have the 2013 format; upgrade it with Caffe's upgrade_net_proto"
            )
        if len(blobs) > MOST_BLOBS:
            raise ValueError(f"a layer has more than {MOST_BLOBS} blobs")
    name, type_, bottom, top = (
        texts.get(number, "") for number in (layout.name, layout.type, layout.bottom, layout.top)
    )
    return CaffeLayer(name, type_, bottom, top, tuple(blobs))


def _text(found: ProtoField, layout: Layout) -> str:
    if isinstance(found.value, int):
        return dict(layout.types).get(found.value, str(found.value))
    return found.value[:256].tobytes().decode("utf-8", "replace")


def _bytes(found: ProtoField) -> memoryview:
    if isinstance(found.value, int) or found.wire != LENGTH:
        raise ValueError(f"field {found.number} is a number where a message is expected")
    return found.value


def _blob(message: memoryview) -> np.ndarray:
    """Return a blob as a float32 array of the shape that it states."""
    shape: list[int] = []
    legacy = [0, 0, 0, 0]
    singles, doubles = _Numbers("<f4", FOUR_BYTES), _Numbers("<f8", EIGHT_BYTES)
    for found in read_fields(message):
        match found.number:
            case 1 | 2 | 3 | 4 if found.wire == VARINT and isinstance(found.value, int):
                legacy[found.number - 1] = found.value
            case 5:
                singles.add(found)
            case 7:
                shape.extend(_sides(_bytes(found)))
            case 8:
                doubles.add(found)
    sides = legacy if any(legacy) else shape
    values = (doubles if len(doubles) else singles).array()
    if not sides or math.prod(sides) != len(values) or 0 in sides:
        raise ValueError(f"a blob of the sides {sides} has {len(values):,} values")
    return values.reshape(sides)


class _Numbers:
    """Values of a repeated field, which may be packed, single, or in several packs."""

    def __init__(self, kind: str, wire: int) -> None:
        self.kind = np.dtype(kind)
        self.wire = wire
        self.raw: memoryview | bytearray = bytearray()

    def __len__(self) -> int:
        return len(self.raw)

    def add(self, found: ProtoField) -> None:
        if isinstance(found.value, int) or found.wire not in (LENGTH, self.wire):
            raise ValueError(f"field {found.number} does not hold numbers of the right kind")
        if len(found.value) % self.kind.itemsize:
            raise ValueError(f"field {found.number} ends inside a number")
        if not self.raw:  # the usual case of one pack: no copy
            self.raw = found.value
            return
        if isinstance(self.raw, memoryview):
            self.raw = bytearray(self.raw)
        self.raw += found.value

    def array(self) -> np.ndarray:
        with np.errstate(over="ignore"):  # overflow is refused later: not finite
            return np.frombuffer(self.raw, self.kind).astype(np.float32)


def _sides(message: memoryview) -> Iterator[int]:
    """Yield the sides of a blob's shape, packed or not."""
    count = 0
    for found in read_fields(message):
        if found.number != 1:
            continue
        for side in [found.value] if isinstance(found.value, int) else _packed(found.value):
            count += 1
            if count > MOST_SIDES:
                raise ValueError(f"a blob has more than {MOST_SIDES} sides")
            yield side


def _packed(values: memoryview) -> Iterator[int]:
    position = 0
    while position < len(values):
        value, position = read_varint(values, position)
        yield value


def _named(layers: Sequence[CaffeLayer]) -> dict[str, np.ndarray]:
    """Return the arrays by "layer.kind", e.g. "conv1_1.weight"."""
    arrays: dict[str, np.ndarray] = {}
    full = [layer for layer in layers if layer.blobs]
    normed = {
        scale.name: norm.name
        for norm, scale in pairwise(full)
        if norm.type == "BatchNorm" and scale.type == "Scale" and norm.top == scale.bottom
    }
    for layer in full:
        for kind, array in _kinds(layer).items():
            name = f"{normed.get(layer.name, layer.name)}.{kind}"
            if name in arrays:
                raise ValueError(f"it has {name} twice")
            arrays[name] = array
    return arrays


def _kinds(layer: CaffeLayer) -> dict[str, np.ndarray]:
    """Return the blobs of a layer with torch's names and shapes."""
    if layer.type == "BatchNorm" and len(layer.blobs) == 3:
        mean, variance, factor = (blob.reshape(-1) for blob in layer.blobs)
        # Caffe stores sums and their divisor; 0 means no statistics yet.
        scale = 1 / float(factor[0]) if factor[0] else 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # refused later
            return {
                "running_mean": (mean * scale).astype(np.float32),
                "running_var": (variance * scale).astype(np.float32),
            }
    names = ["weight", "bias", *(f"blob{number}" for number in range(2, MOST_BLOBS))]
    kinds = dict(zip(names, layer.blobs, strict=False))
    if layer.type == "InnerProduct":
        kinds["weight"] = kinds["weight"].reshape(kinds["weight"].shape[-2:])
    elif layer.type == "Scale":
        kinds["weight"] = kinds["weight"].reshape(-1)
    if "bias" in kinds:
        kinds["bias"] = kinds["bias"].reshape(-1)
    return kinds
