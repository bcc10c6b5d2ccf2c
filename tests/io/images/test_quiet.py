"""Warnings are ignored inside of blocks only, however the blocks of threads overlap."""

import warnings

import pytest

from fullconv.io.images.quiet import without_warnings


def test_overlapping_blocks_leave_the_filters_as_they_were():
    before = list(warnings.filters)
    one, other = without_warnings(), without_warnings()
    one.__enter__()
    other.__enter__()  # as in two threads
    one.__exit__(None, None, None)
    warnings.warn("ignored", UserWarning, stacklevel=1)
    other.__exit__(None, None, None)
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="seen"):
        warnings.warn("seen", UserWarning, stacklevel=1)


def test_a_block_that_fails_ends():
    before = list(warnings.filters)
    with pytest.raises(ValueError, match="inside"), without_warnings():
        raise ValueError("inside")
    assert list(warnings.filters) == before
