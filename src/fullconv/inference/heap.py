"""Keep memory for the next image or step, and give back what stays unused.

By default glibc gives a free end of the heap back to the system once it is larger than some tens
of megabytes, which depends on what was allocated before. Where that is less than an image takes,
each image gets new pages, which the system fills with zeros: up to half of the network's time
again. Tensors of ever new sizes leave gaps between what is kept, such as the code of layers, so the
heap grows although no more of it is in use.
"""

import ctypes
import sys
from collections.abc import Callable, Hashable
from functools import cache

EVERY = 16  # images; freeing takes milliseconds, as does getting the memory again

KEPT = 128 * 2**20  # bytes free at the heap's end that are kept
KEPT_FOR_STEPS = 2**31 - 1  # likewise, between the steps of a training; the most that mallopt takes
LARGEST = 32 * 2**20  # bytes; larger tensors have pages of their own, which are never kept
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc's malloc.h

_last: tuple[Hashable, int] = (None, 0)  # the last image's key, and how many differed since


def keep_heap(kept: int = KEPT) -> None:
    """Let the heap keep what an image took for the next one; for many images of one size.

    It does nothing where the C library is not glibc.

    Args:
        kept: bytes free at the heap's end, at most.
    """
    if (mallopt := _glibc("mallopt")) is not None:
        # Either of them also ends glibc's own choice of the other.
        mallopt(_MMAP_THRESHOLD, LARGEST)
        mallopt(_TRIM_THRESHOLD, kept)


def free_heap(key: Hashable) -> None:
    """Free what the heap holds unused, each time that `EVERY` images differed from the one before.

    Any number of threads may call it. It does nothing where the C library is not glibc.

    Args:
        key: of the next image, such as its size; images with one key use the same gaps again.
    """
    global _last  # threads may miss a count of each other, which does no harm
    before, count = _last
    count += key != before
    due = count >= EVERY
    _last = key, 0 if due else count
    trim = _glibc("malloc_trim") if due else None
    if trim is not None:
        trim(0)


def release_heap() -> None:
    """Give back to the system what the heap holds unused.

    It does nothing where the C library is not glibc.
    """
    if (trim := _glibc("malloc_trim")) is not None:
        trim(0)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None on other systems."""
    if sys.platform != "linux":
        return None
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
