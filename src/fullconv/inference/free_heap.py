"""Give memory that the C library keeps for later use back to the system.

Tensors of ever new sizes leave gaps between what is kept, such as the code of layers, so the heap
grows although no more of it is in use.
"""

import ctypes
import sys
from collections.abc import Callable, Hashable
from functools import cache

EVERY = 16  # images; freeing takes milliseconds, as does getting the memory again

_last: tuple[Hashable, int] = (None, 0)  # the last image's key, and how many differed since


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
    trim = _malloc_trim() if due else None
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """Return glibc's function; None on other systems."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
