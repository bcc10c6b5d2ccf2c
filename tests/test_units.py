"""Sizes and durations: what users type, and what they read."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from fullconv.errors import ConfigError
from fullconv.units import count, format_bytes, format_bytes_up, format_duration, parse_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("2GiB", 2**31), ("2 GB", 2**31), ("512M", 2**29), ("1.5g", 3 * 2**29)),
        *(("100", 100), (4096, 4096), ("1 KiB", 1024), ("3T", 3 * 2**40)),
    ],
)
def test_sizes_are_parsed(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("wrong", ["", "GiB", "-1", "0", "two GiB", "1,5 GiB", "2 GiB more", -5])
def test_what_is_not_a_size_is_refused(wrong):
    with pytest.raises(ConfigError, match="such as 2GiB"):
        parse_bytes(wrong)


def test_sizes_are_formatted():
    assert [format_bytes(size) for size in (5, 1536, 2**20, 2.5 * 2**30, 3 * 2**40)] == [
        *("5 B", "1.5 KiB", "1.0 MiB", "2.5 GiB", "3072.0 GiB")
    ]


@given(integers(1, 2**45))
def test_a_size_rounded_up_is_enough(size):
    assert size <= parse_bytes(format_bytes_up(size)) <= max(1.1 * size, size + 103)


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        *((1, "step", "1 step"), (0, "step", "0 steps"), (2000, "class", "2,000 classes")),
        *((1, "pixel", "1 pixel"), (2, "box", "2 boxes"), (3, "batch", "3 batches")),
    ],
)
def test_a_count_agrees_with_its_noun(number, noun, text):
    assert count(number, noun) == text


def test_an_irregular_plural():
    assert count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0384, "38 ms"), (0.2, "0.20 s"), (1.239, "1.24 s"), (41, "41 s")),
        *((59.7, "1 min 00 s"), (252, "4 min 12 s"), (3599.9, "1 h 00 min"), (7500, "2 h 05 min")),
    ],
)
def test_durations_are_formatted(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (41.4, "41 s"), (59.7, "1 min"), (252, "4 min"), (7500, "2 h 05 min")],
)
def test_estimates_are_rounded_to_minutes(seconds, text):
    assert format_duration(seconds, to_minutes=True) == text
