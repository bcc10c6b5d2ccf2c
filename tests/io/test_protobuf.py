"""Protobuf fields are read as Google's library writes them; wrong lengths are refused."""

import pytest

from fullconv.io.protobuf import (
    FOUR_BYTES,
    LENGTH,
    VARINT,
    read_fields,
    read_tags,
    read_varint,
)


def test_fields_of_a_message_written_by_protobuf():
    onnx = pytest.importorskip("onnx")
    message = onnx.TensorProto(dims=[3, 300, 2**40], data_type=1, name="w", float_data=[1.5, -2])
    found = list(read_fields(memoryview(message.SerializeToString())))
    by_number = {
        number: type(message).DESCRIPTOR.fields_by_number[number].name
        for number in {field.number for field in found}
    }
    assert set(by_number.values()) == {"dims", "data_type", "name", "float_data"}
    dims = [field.value for field in found if by_number[field.number] == "dims"]
    assert dims == [3, 300, 2**40]
    name = next(field for field in found if by_number[field.number] == "name")
    assert (name.wire, bytes(name.value)) == (LENGTH, b"w")


def test_fixed_32_and_64_bit_fields_are_read():
    message = b"\x0d1234" + b"\x1112345678" + b"\x18\x05"
    found = list(read_fields(memoryview(message)))
    assert [bytes(field.value) for field in found[:2]] == [b"1234", b"12345678"]
    assert found[0].wire == FOUR_BYTES and (found[2].wire, found[2].value) == (VARINT, 5)


@pytest.mark.parametrize(
    "message",
    [b"\x0d123", b"\x11", b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\xff\x7f", b"\x0a", b"\x08"],
)
def test_a_field_that_runs_past_the_end(message):
    with pytest.raises(ValueError, match=r"left|no end"):
        list(read_fields(memoryview(message)))


@pytest.mark.parametrize("key", [0x00, 0x0B, 0x0C, 0x0E, 0x0F])
def test_unsupported_wire_types_are_refused(key):
    with pytest.raises(ValueError, match="no field begins"):
        list(read_fields(memoryview(bytes([key, 0, 0]))))


def test_a_varint_longer_than_ten_bytes_is_refused():
    with pytest.raises(ValueError, match="no end"):
        read_varint(memoryview(b"\xff" * 11), 0)
    assert read_varint(memoryview(b"\xff" * 9 + b"\x01"), 0) == (2**64 - 1, 10)


def test_tags_of_a_truncated_message():
    text = b"\x0a\x03net"  # field 1, a text of 3 bytes
    number = b"\x10\x96\x01"  # field 2, the integer 150
    assert list(read_tags(memoryview(text + number + text))) == [
        (1, LENGTH),
        (2, VARINT),
        (1, LENGTH),
    ]
    assert list(read_tags(memoryview(text + number[:2]))) == [(1, LENGTH), (2, VARINT)]
    assert list(read_tags(memoryview(text[:2]))) == [(1, LENGTH)]
    assert list(read_tags(memoryview(b""))) == []
