"""Collect the arrays of a page into one block of bytes; the settings name their places."""

from typing import Any

import numpy as np
from torch import Tensor


class Arrays:
    """The arrays of a page, one after another."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def floats(self, values: Tensor | np.ndarray) -> dict[str, Any]:
        """Add float32 numbers, and return what stands for them in the settings."""
        return self._add(np.ascontiguousarray(_numpy(values), "<f4"), "f4")

    def levels(self, values: Tensor | np.ndarray) -> dict[str, Any]:
        """Add uint8 numbers, and return what stands for them in the settings."""
        return self._add(np.ascontiguousarray(_numpy(values), "u1"), "u1")

    def content(self) -> bytes:
        """Return all arrays; float32 numbers begin at multiples of four bytes."""
        return b"".join(self._parts)

    def _add(self, values: np.ndarray, kind: str) -> dict[str, Any]:
        place = {"array": self._length, "length": values.size, "type": kind}
        content = values.tobytes()
        content += b"\0" * (-len(content) % 4)
        self._parts.append(content)
        self._length += len(content)
        return place


def _numpy(values: Tensor | np.ndarray) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values
