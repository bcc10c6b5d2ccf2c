"""Label Studio's brush masks: run lengths of RGBA bytes, packed into bits (thi.ng's rle-pack).

A stream begins with the number of values (32 bits), their width less one (5 bits) and four sizes
of counts less one (4 bits each). Then follow runs: a bit (1: one value repeated, 0: values as they
are), the index of a count's size (2 bits), the count less one, and the value or values. Each pixel
has four bytes, of which the last one, alpha, tells whether it belongs to the region.
"""

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from fullconv.data.labels.patches import Size
from fullconv.errors import DataError

BANDS = 4
WORD = 8  # bits of a value
COUNTS = (3, 4, 8, 16)  # bits of a count, as Label Studio writes them
HEADER = 32 + 5 + 4 * len(COUNTS)  # bits
INSIDE = 128  # alpha from which a pixel belongs to the region; the edge of a brush is soft

_LONGEST = 2 ** COUNTS[-1]  # values in one run


def encode_brush(mask: Bool[np.ndarray, "H W"]) -> bytes:
    """Return a mask as a stream, whose bytes are the numbers of Label Studio's "rle"."""
    flat = mask.ravel()
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]) + 1, flat.size)
    lengths = np.diff(ends, prepend=0) * BANDS
    values = np.where(flat[ends - 1], 255, 0)
    counts, values = _split(lengths, values)
    fields, bits = _fields(counts, values)
    # The last bits of each field, in order.
    unpacked = np.unpackbits(fields.astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)
    body = unpacked[np.arange(32) >= 32 - bits[:, None]]
    return np.packbits(np.concatenate([_header(flat.size * BANDS), body])).tobytes()


def decode_brush(stream: bytes, size: Size) -> Bool[np.ndarray, "H W"]:
    """Return the mask of a stream.

    Args:
        stream: the numbers of "rle", as bytes.
        size: (height, width) that it should have.

    Raises:
        DataError: it is damaged, or has another size.
    """
    reader = _BitReader(stream)
    total, expected = reader.read(32), size[0] * size[1] * BANDS
    if total != expected:
        raise DataError(
            f"a brush mask of {total:,} values where {size[0]} x {size[1]} pixels (height x width) "
            f"have {expected:,}"
        )
    if (word := reader.read(5) + 1) != WORD:
        raise DataError(f"a brush mask with values of {word} bits where 8 are expected")
    sizes = [reader.read(4) + 1 for _ in COUNTS]
    values = np.empty(total, np.uint8)
    start = 0
    while start < total:
        repeated = reader.read(1)
        end = start + reader.read(sizes[reader.read(2)]) + 1
        if end > total:
            raise DataError("a brush mask whose runs are longer than the image")
        values[start:end] = reader.read(WORD) if repeated else reader.words(end - start)
        start = end
    return np.asarray(values[BANDS - 1 :: BANDS] >= INSIDE).reshape(size)


def _header(total: int) -> UInt8[np.ndarray, " N"]:
    number = total
    for value, width in ((WORD - 1, 5), *((count - 1, 4) for count in COUNTS)):
        number = number << width | value
    return np.array([int(bit) for bit in f"{number:0{HEADER}b}"], np.uint8)


def _split(
    lengths: Int64[np.ndarray, " N"], values: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " M"]]:
    """Split runs that are longer than a count can state."""
    parts = -(-lengths // _LONGEST)
    counts = np.full(int(parts.sum()), _LONGEST)
    counts[np.cumsum(parts) - 1] = lengths - (parts - 1) * _LONGEST
    return counts, np.repeat(values, parts)


def _fields(
    counts: Int64[np.ndarray, " N"], values: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """Return each run as a number, and how many bits it has."""
    index = np.searchsorted(2 ** np.array(COUNTS), counts)  # the smallest size that is enough
    width = np.array(COUNTS)[index]
    fields = ((4 + index) << width | (counts - 1)) << WORD | values
    return fields, 3 + width + WORD


class _BitReader:
    """Read numbers of any width from bytes, the highest bit first."""

    def __init__(self, stream: bytes) -> None:
        self.stream, self.place = stream, 0

    def read(self, bits: int) -> int:
        """Return the next number of up to 32 bits."""
        first, end = self.place // 8, self.place + bits
        part = self.stream[first : -(-end // 8)]
        if end > 8 * len(self.stream):
            raise DataError("a brush mask that ends early")
        self.place = end
        return int.from_bytes(part) >> (8 * len(part) - (end - 8 * first)) & ((1 << bits) - 1)

    def words(self, number: int) -> UInt8[np.ndarray, " N"]:
        """Return the next numbers of 8 bits."""
        first, end = self.place // 8, self.place + WORD * number
        if end > 8 * len(self.stream):
            raise DataError("a brush mask that ends early")
        part = np.frombuffer(self.stream[first : -(-end // 8)], np.uint8)
        bits = np.unpackbits(part)[self.place - 8 * first :][: WORD * number]
        self.place = end
        return np.packbits(bits)
