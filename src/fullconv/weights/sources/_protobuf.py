"""Protocol buffers on the wire: the fields of a message, every length checked before it is used."""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: the field's number in the .proto file.
        wire: VARINT, EIGHT_BYTES, LENGTH or FOUR_BYTES.
        value: an unsigned integer for VARINT, else the field's bytes (a view, nothing is copied).
    """

    number: int
    wire: int
    value: int | memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; messages inside it are left unread.

    Raises:
        ValueError: a field runs past the end of the message, or is not of a known kind.
    """
    position = 0
    while position < len(message):
        number, wire, position = tag(message, position)
        if wire == VARINT:
            value, position = varint(message, position)
            yield Field(number, wire, value)
            continue
        size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(wire)
        if size is None:
            size, position = varint(message, position)
        if size > len(message) - position:
            raise ValueError(
                f"field {number} wants {size:,} bytes where {len(message) - position:,} are left"
            )
        yield Field(number, wire, message[position : position + size])
        position += size


def tags(head: memoryview) -> Iterator[tuple[int, int]]:
    """Number and kind of the fields at the head of a message, of integers, texts and messages.

    It ends where the head does, or where it is no such message: enough to recognise one.
    """
    position = 0
    try:
        while position < len(head):
            number, wire, position = tag(head, position)
            yield number, wire
            size, position = varint(head, position)
            position += size if wire == LENGTH else 0
    except ValueError:
        return


def tag(message: memoryview, position: int) -> tuple[int, int, int]:
    """Field number, kind, and the position after them.

    Raises:
        ValueError: no field begins here.
    """
    key, after = varint(message, position)
    number, wire = key >> 3, key & 7
    if number == 0 or wire not in (VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES):
        raise ValueError(f"no field begins at byte {position}")
    return number, wire, after


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """An unsigned integer below 2**64 (seven bits a byte, low ones first), and the position after.

    Raises:
        ValueError: the message ends inside it, or it is longer than ten bytes.
    """
    value = 0
    for count, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & (2**64 - 1), position + count + 1
    raise ValueError(f"the number at byte {position} has no end")
