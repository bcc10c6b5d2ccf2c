"""Read the wire format of protocol buffers; lengths are checked before they are used."""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class ProtoField(NamedTuple):
    """A field of a message.

    Attributes:
        number: the field's number in the .proto file.
        wire: VARINT, EIGHT_BYTES, LENGTH or FOUR_BYTES.
        value: an unsigned integer for VARINT, else the field's bytes (a view, not a copy).
    """

    number: int
    wire: int
    value: int | memoryview


def read_fields(message: memoryview) -> Iterator[ProtoField]:
    """Yield the fields of a message in order; nested messages stay bytes.

    Raises:
        ValueError: a field exceeds the message, or has an unknown wire type.
    """
    position = 0
    while position < len(message):
        number, wire, position = read_tag(message, position)
        if wire == VARINT:
            value, position = read_varint(message, position)
            yield ProtoField(number, wire, value)
            continue
        size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(wire)
        if size is None:
            size, position = read_varint(message, position)
        if size > len(message) - position:
            raise ValueError(
                f"field {number} wants {size:,} bytes where {len(message) - position:,} are left"
            )
        yield ProtoField(number, wire, message[position : position + size])
        position += size


def read_tags(head: memoryview) -> Iterator[tuple[int, int]]:
    """Yield field number and wire type of the first fields of a message, to recognize a format.

    Stops without an error at the end of `head`, or at bytes that are not a field.
    """
    position = 0
    try:
        while position < len(head):
            number, wire, position = read_tag(head, position)
            yield number, wire
            size, position = read_varint(head, position)
            position += size if wire == LENGTH else 0
    except ValueError:
        return


def read_tag(message: memoryview, position: int) -> tuple[int, int, int]:
    """Return the field number, the wire type, and the position after them.

    Raises:
        ValueError: no field begins at `position`.
    """
    key, after = read_varint(message, position)
    number, wire = key >> 3, key & 7
    if number == 0 or wire not in (VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES):
        raise ValueError(f"no field begins at byte {position}")
    return number, wire, after


def read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return an unsigned integer below 2**64 and the position after it.

    Seven bits per byte, low bits first.

    Raises:
        ValueError: the message ends inside it, or it is longer than ten bytes.
    """
    value = 0
    for count, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & (2**64 - 1), position + count + 1
    raise ValueError(f"the number at byte {position} has no end")
