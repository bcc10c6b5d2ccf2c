"""A small encoder of Caffe models, in all variants of the format."""

import struct

import numpy as np


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, content):
    content = content.encode() if isinstance(content, str) else bytes(content)
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(array, *, legacy=False, packed=True, double=False):
    """Encode a BlobProto: shape or four legacy dimensions, values packed or one by one."""
    kind, wire, field = ("<f8", 1, 8) if double else ("<f4", 5, 5)
    values = np.asarray(array, kind).reshape(-1)
    tag = varint(field << 3 | wire)
    data = (
        message(field, values.tobytes()) if packed else b"".join(tag + v.tobytes() for v in values)
    )
    if legacy:
        sides = (1,) * (4 - array.ndim) + array.shape
        return b"".join(number(1 + axis, side) for axis, side in enumerate(sides)) + data
    dims = [varint(side) for side in array.shape]
    shape = message(1, b"".join(dims)) if packed else b"".join(b"\x08" + side for side in dims)
    return data + message(7, shape)


OLD_TYPES = {"Convolution": 4, "InnerProduct": 14, "ReLU": 18, "Deconvolution": 39}


def layer(name, kind, blobs=(), *, old=False, bottom="", top="", **how):
    encoded = [
        blob(array, legacy=old or how.get("legacy", False), **_numbers(how)) for array in blobs
    ]
    if old:
        head = message(4, name) + number(5, OLD_TYPES[kind])
        return message(2, head + b"".join(message(6, one) for one in encoded))
    head = message(1, name) + message(2, kind) + message(3, bottom) + message(4, top)
    return message(100, head + b"".join(message(7, one) for one in encoded))


def _numbers(how):
    return {key: value for key, value in how.items() if key in ("packed", "double")}


def net(*layers, name="a net"):
    return message(1, name) + b"".join(layers)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)
