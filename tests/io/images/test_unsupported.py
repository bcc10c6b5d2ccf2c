"""Pictures whose suffix is not read are counted, with what to do about them."""

import pytest

from fullconv.io.images import (
    SUFFIXES,
    count_unsupported,
    describe_unsupported,
    unsupported_suffix,
)

NAMES = ("IMG_1.JXL", "IMG_2.jxl", "b.jfif", "c.gif", "a.jpg", "notes.txt", "x.npy", ".jxl")


def test_pictures_that_are_not_read_are_counted_by_suffix():
    counts = count_unsupported(NAMES[:-1])
    assert counts == {".jxl": 2, ".gif": 1, ".jfif": 1, ".npy": 1}
    text = describe_unsupported(counts)
    assert text.startswith("2 .jxl, 1 .gif (save as PNG or JPEG); 1 .jfif (rename to .jpg); 1 .npy")
    assert describe_unsupported({}) == ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_read_is_not_counted(suffix):
    assert unsupported_suffix(f"a{suffix}") == ""


def test_a_compressed_volume_is_counted_by_both_its_suffixes():
    assert count_unsupported(["scan.nii.gz", "scan.NII"]) == {".nii": 1, ".nii.gz": 1}
