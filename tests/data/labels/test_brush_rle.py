"""Brush masks equal those of Label Studio's own coder."""

import importlib.util
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from fullconv.data.labels.brush_rle import decode_brush, encode_brush
from fullconv.errors import DataError

DRAW = np.random.default_rng(5)
SIZES = [(1, 1), (1, 300), (300, 1), (23, 31)]
MASKS = [
    *(DRAW.random(size) < share for size in SIZES for share in (0.0, 0.5, 1.0)),
    np.kron(DRAW.random((7, 9)) < 0.5, np.ones((20, 30), bool)),
    np.zeros((300, 400), bool),  # a run longer than a count can state
]
each_mask = pytest.mark.parametrize("mask", MASKS, ids=lambda mask: f"{mask.shape}-{mask.sum()}")


@pytest.fixture
def brush():
    """Load this module of label-studio-sdk alone: all of it takes half a minute."""
    package = importlib.util.find_spec("label_studio_sdk")
    if package is None:
        pytest.skip("label-studio-sdk decodes")
    path = Path(package.submodule_search_locations[0]) / "converter" / "brush.py"
    spec = importlib.util.spec_from_file_location("brush_of_label_studio", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_mask
def test_a_mask_is_restored(mask):
    assert np.array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


@each_mask
def test_label_studio_decodes_the_mask(mask, brush):
    values = brush.decode_rle(list(encode_brush(mask))).reshape(*mask.shape, 4)
    assert np.array_equal(values, np.repeat(np.where(mask, 255, 0)[..., None], 4, 2))


@each_mask
def test_masks_of_label_studio_are_decoded(mask, brush):
    pixels = np.repeat(np.where(mask, 255, 0)[..., None], 4, 2)
    stream = bytes(brush.encode_rle(pixels.ravel()))
    assert np.array_equal(decode_brush(stream, mask.shape), mask)


def test_soft_edges_and_values_as_they_are():
    """A painted stroke has alpha values in between, which are written one by one."""
    alpha = [0, 127, 128, 255]
    bits = f"{16:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + "0" + "01" + f"{15:04b}"
    bits += "".join(f"{0:024b}{value:08b}" for value in alpha)
    bits += "0" * (-len(bits) % 8)
    stream = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    assert decode_brush(stream, (2, 2)).ravel().tolist() == [False, False, True, True]


def test_other_sizes_of_counts_are_read():
    bits = f"{8:032b}{7:05b}" + f"{0:04b}" * 4 + ("1" + "11" + "1" + f"{255:08b}") * 4
    bits += "0" * (-len(bits) % 8)
    stream = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    assert decode_brush(stream, (1, 2)).all()


def test_damaged_masks_are_refused():
    stream = encode_brush(np.eye(9, dtype=bool))
    with pytest.raises(DataError, match=r"324 values where 8 x 9 pixels .* have 288"):
        decode_brush(stream, (8, 9))
    for end in range(len(stream)):
        with pytest.raises(DataError, match="ends early"):
            decode_brush(stream[:end], (9, 9))
    wide = bytes([*stream[:4], stream[4] | 0x80, *stream[5:]])
    with pytest.raises(DataError, match="values of 24 bits"):
        decode_brush(wide, (9, 9))
    for place in range(7, len(stream)):
        changed = bytes([*stream[:place], stream[place] ^ 0xFF, *stream[place + 1 :]])
        with suppress(DataError):
            assert decode_brush(changed, (9, 9)).shape == (9, 9)
