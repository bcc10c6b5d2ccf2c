"""Fit the arrays of a network of photos to one with more input channels, or with streams."""

import numpy as np

from fullconv.config import RGB
from fullconv.networks.input_channels import widen_filters
from fullconv.networks.transplant import bare
from fullconv.weights._align import Arrays, Shapes

STREAM = "streams."  # see `networks.streams`


def own_names(own: Shapes, arrays: Arrays) -> Shapes:
    """Return the shapes of the network's arrays by the names that a file has for them.

    A file of one backbone has no names of streams: the first stream's are returned without them.
    """
    if not _is_spread(own, arrays):
        return own
    first = f"{STREAM}0."
    return {
        name.removeprefix(first): shape
        for name, shape in own.items()
        if name.startswith(first) or not name.startswith(STREAM)
    }


def fit_channels(own: Shapes, arrays: Arrays, notes: list[str]) -> Arrays:
    """Return the arrays with one copy for each stream, and filters for all channels.

    Args:
        own: shapes of the network's arrays.
        arrays: of the file.
        notes: gets a sentence about each change.
    """
    if _is_spread(own, arrays):
        arrays = _spread(own, arrays)
        notes.append("each stream starts from the file's backbone")
    widened = []
    for name in _first_convolutions(own):
        key = next((key for key in arrays if bare(key) == name), None)
        if key is None:
            continue
        array, shape = arrays[key], own[name]
        if array.ndim == 4 and array.shape[1] == RGB < shape[1]:
            arrays = {**arrays, key: widen_filters(array, shape[1])}
            widened.append(name)
    if widened:
        notes.append(
            "filters of channels after red, green and blue start as the mean of the three: "
            f"{', '.join(widened)}"
        )
    return arrays


def _is_spread(own: Shapes, arrays: Arrays) -> bool:
    streams = any(name.startswith(STREAM) for name in own)
    return streams and not any(bare(name).startswith(STREAM) for name in arrays)


def _spread(own: Shapes, arrays: Arrays) -> Arrays:
    streams = dict.fromkeys(name.split(".")[1] for name in own if name.startswith(STREAM))
    spread: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        copies = [f"{STREAM}{number}.{bare(name)}" for number in streams]
        spread |= {copy: array for copy in copies} if copies[0] in own else {name: array}
    return spread


def _first_convolutions(own: Shapes) -> list[str]:
    """Return the name of the first convolution of each stream, or of the network."""
    found: dict[str, str] = {}
    for name, shape in own.items():
        stream = ".".join(name.split(".")[:2]) if name.startswith(STREAM) else ""
        if len(shape) == 4:
            found.setdefault(stream, name)
    streams = {key: name for key, name in found.items() if key}
    return list((streams or found).values())
