"""Requests and responses of the Open Inference Protocol v2: JSON, with or without binary tensors.

The header Inference-Header-Content-Length gives the bytes of the JSON; the tensor that it describes
with `binary_data_size` follows it.
"""

import io
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fullconv.errors import printable
from fullconv.io.output_text import json_bytes
from fullconv.serving._json import parse_object
from fullconv.serving._problems import Problem

LENGTH = "Inference-Header-Content-Length"
INPUT = "image"
MAX_JSON = 16 * 2**20  # bytes; a list of numbers takes ten times as much in memory
MAX_BATCH = 64
NUMBERS = 2**16  # that are written as JSON at a time
TEXT_BYTES = {"labels": 3 * 5, "score": 3 * 25}
"""Of a number as JSON, in three places: `encode_response` joins its text twice."""
TYPES = {"UINT8": np.uint8, "FP32": np.float32}
OUTPUTS = {"labels": "UINT8", "score": "FP32"}

Image = np.ndarray


@dataclass(frozen=True)
class InferRequest:
    """A request to predict images.

    Attributes:
        id: of the client; "" for none.
        images: arrays (H, W, 3) of uint8 in RGB, or encoded photos.
        outputs: names of the outputs, and whether each is binary.
    """

    id: str
    images: Sequence[Image | bytes]
    outputs: Mapping[str, bool]


def parse_request(content: bytes, length: str | None) -> InferRequest:
    """Parse the body of a request.

    Args:
        content: the body.
        length: the header `LENGTH`; None if the body is JSON alone.

    Raises:
        Problem: it is broken, or asks for something else than this server offers.
    """
    end = json_length(length, len(content))
    values = parse_object(content[:end])
    _check_keys(values, {"id", "parameters", "inputs", "outputs"}, "the request")
    parameters = _object(values.get("parameters", {}), "parameters")
    _check_keys(parameters, {"binary_data_output"}, "parameters")
    inputs = values.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise Problem(400, f'expected one input, "{INPUT}"')
    request_id = values.get("id", "")
    if not isinstance(request_id, str) or len(request_id) > 256:
        raise Problem(400, '"id" is not a text of at most 256 characters')
    return InferRequest(
        request_id,
        _images(_object(inputs[0], "the input"), content[end:]),
        _outputs(values.get("outputs"), _flag(parameters, "binary_data_output", False)),
    )


def encode_response(
    values: dict[str, Any], outputs: Mapping[str, bool], arrays: Mapping[str, np.ndarray]
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the bytes of its JSON if binary tensors follow.

    Args:
        values: model, version and id.
        outputs: names, and whether each is binary.
        arrays: the tensors by name.

    Raises:
        Problem: a tensor is too large for JSON.
    """
    described, binary = [], []
    for name, is_binary in outputs.items():
        array = np.ascontiguousarray(arrays[name])
        entry: dict[str, Any] = {
            "name": name,
            "datatype": OUTPUTS[name],
            "shape": list(array.shape),
        }
        if is_binary:
            binary.append(array.tobytes())
            entry["parameters"] = {"binary_data_size": array.nbytes}
            described.append(json_bytes(entry).rstrip())
        else:
            if array.nbytes > MAX_JSON:
                raise Problem(
                    422, f'"{name}" is too large for JSON; ask for it with "binary_data": true'
                )
            opened = json_bytes(entry).rstrip().removesuffix(b"}")
            described.append(opened + b', "data": [' + _numbers(array) + b"]}")
    opened = json_bytes(values).rstrip().removesuffix(b"}")
    header = opened + b', "outputs": [' + b", ".join(described) + b"]}\n"
    return b"".join([header, *binary]), len(header) if binary else None


def _numbers(array: np.ndarray) -> bytes:
    """Return an array's numbers as JSON, without the brackets; a list of all would take more."""
    flat = array.ravel()
    parts = (flat[start : start + NUMBERS] for start in range(0, flat.size, NUMBERS))
    return b", ".join(json_bytes(part.tolist()).rstrip()[1:-1] for part in parts)


def json_length(text: str | None, size: int) -> int:
    """Return the bytes of the JSON in a body.

    Args:
        text: the header `LENGTH`; None if the body is JSON alone.
        size: of the body.

    Raises:
        Problem: the header is no number, or the JSON is too long.
    """
    if text is None:
        return _checked_length(size)
    if not text.isdecimal() or len(text) > 12 or int(text) > size:
        raise Problem(400, f"{LENGTH} is {printable(text[:20])!r}; the body has {size:,} bytes")
    return _checked_length(int(text))


def _checked_length(end: int) -> int:
    if end > MAX_JSON:
        raise Problem(
            400, f"JSON of {end:,} bytes; expected at most {MAX_JSON:,}: send binary data"
        )
    return end


def _images(entry: dict[str, Any], binary: bytes) -> list[Image | bytes]:
    _check_keys(entry, {"name", "shape", "datatype", "parameters", "data"}, "the input")
    if entry.get("name") != INPUT:
        raise Problem(400, f'the input {str(entry.get("name"))[:40]!r}; expected "{INPUT}"')
    kind, shape = entry.get("datatype"), entry.get("shape")
    numbers = isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape)
    if not isinstance(shape, list) or not numbers or not 1 <= len(shape) <= 4:
        raise Problem(400, "the shape is not a list of whole numbers above 0")
    data = _data(entry, binary)
    if kind == "BYTES":
        return _encoded(data, shape)
    if not isinstance(kind, str) or kind not in TYPES:
        raise Problem(400, f"the datatype {str(kind)[:20]!r}; expected UINT8, FP32 or BYTES")
    if len(shape) != 4 or shape[1] != 3 or shape[0] > MAX_BATCH:
        raise Problem(
            400, f"the shape {shape}; expected (B, 3, height, width) with B up to {MAX_BATCH}"
        )
    return list(_pixels(data, kind, shape).transpose(0, 2, 3, 1))


def _data(entry: dict[str, Any], binary: bytes) -> bytes | list[Any]:
    """Return the bytes of a binary tensor, or the list of one in JSON."""
    parameters = _object(entry.get("parameters", {}), "the input's parameters")
    _check_keys(parameters, {"binary_data_size"}, "the input's parameters")
    if "binary_data_size" in parameters:
        if "data" in entry or parameters["binary_data_size"] != len(binary):
            raise Problem(
                400,
                f"binary_data_size is {str(parameters['binary_data_size'])[:20]}; "
                f"{len(binary):,} bytes follow the JSON",
            )
        return binary
    data = entry.get("data")
    if not isinstance(data, list) or binary:
        raise Problem(400, 'the input has no "data" and no "binary_data_size"')
    return data


def _pixels(data: bytes | list[Any], kind: str, shape: list[int]) -> np.ndarray:
    """Return a tensor (B, 3, H, W) of uint8."""
    count = prod(shape)
    try:
        if isinstance(data, bytes):
            values = np.frombuffer(data, np.dtype(TYPES[kind]).newbyteorder("<"))
        else:
            array = np.asarray(data)
            if array.dtype.kind not in "iuf":  # neither texts nor true and false
                raise TypeError
            if array.ndim > 1 and array.shape != tuple(shape):
                raise Problem(400, f"the data are lists of shape {array.shape}, not {shape}")
            values = array.ravel()
    except (ValueError, TypeError, OverflowError) as error:
        raise Problem(400, "the data are not numbers of the datatype") from error
    if values.size != count:
        raise Problem(400, f"the data are {values.size:,} numbers; the shape has {count:,}")
    pixels = values if values.dtype == np.uint8 else _as_pixels(values)
    return pixels.reshape(shape)


def _as_pixels(values: np.ndarray) -> np.ndarray:
    """Return numbers as uint8, if that changes none."""
    whole = np.isfinite(values) & (values >= 0) & (values <= 255) & (values == np.floor(values))
    if not whole.all():
        raise Problem(
            400,
            f"the value {values[~whole][0]:g}; expected RGB as whole numbers from 0 to 255, "
            "without normalization, which is part of the model",
        )
    return values.astype(np.uint8)


def _encoded(data: bytes | list[Any], shape: list[int]) -> list[Image | bytes]:
    """Return the photos of a tensor of bytes: with their lengths, or as base64 in JSON."""
    photos: list[Image | bytes] = []
    if isinstance(data, bytes):
        stream = io.BytesIO(data)
        while head := stream.read(4):
            size = struct.unpack("<I", head)[0] if len(head) == 4 else 0
            photo = stream.read(size)
            if len(head) < 4 or len(photo) < size or len(photos) == MAX_BATCH:
                raise Problem(400, "the binary data are no photos with their lengths before them")
            photos.append(photo)
    else:
        try:
            photos.extend(b64decode(text, validate=True) for text in data[: MAX_BATCH + 1])
        except (ValueError, TypeError) as error:
            raise Problem(400, "the data are no photos as base64 texts") from error
    if len(photos) != prod(shape) or not 0 < len(photos) <= MAX_BATCH:
        raise Problem(
            400,
            f"{len(photos)} photos of shape {shape}; expected as many as the shape says, up to "
            f"{MAX_BATCH}",
        )
    return photos


def _outputs(given: object, binary: bool) -> dict[str, bool]:
    """Return the outputs asked for, and whether each is binary; labels by default."""
    if given is None or given == []:
        return {"labels": binary}
    if not isinstance(given, list):
        raise Problem(400, '"outputs" is no list')
    found: dict[str, bool] = {}
    for item in given:
        entry = _object(item, "an output")
        _check_keys(entry, {"name", "parameters"}, "an output")
        name = entry.get("name")
        parameters = _object(entry.get("parameters", {}), "an output's parameters")
        _check_keys(parameters, {"binary_data"}, "an output's parameters")
        if not isinstance(name, str) or name not in OUTPUTS or name in found:
            raise Problem(
                400, f"the output {str(name)[:40]!r}; expected {' and '.join(OUTPUTS)}, each once"
            )
        found[name] = _flag(parameters, "binary_data", binary)
    return found


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise Problem(400, f"{name} is {printable(str(value)[:20])!r}; expected true or false")
    return value


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem(400, f"{what}: expected an object")
    return value


def _check_keys(values: dict[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise Problem(
            400,
            f"{what} has {printable(str(unknown[0])[:40])!r}, which is not supported; expected "
            f"{', '.join(sorted(known))}",
        )
