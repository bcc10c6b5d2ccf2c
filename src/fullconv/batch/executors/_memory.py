"""Let inputs in as long as they fit into the memory."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition


@dataclass(frozen=True)
class InputMemory:
    """The bytes that an input takes.

    Attributes:
        held: from its decoding until its files are written.
        compute: beyond that, while its prediction is computed.
        limit: for its prediction alone; None for half of the free memory.
    """

    held: int
    compute: int
    limit: int | None


class MemoryGate:
    """Let inputs in as long as they fit into the memory, in the order in which they come.

    An input is let in if it fits beside the others, and if the largest computation among them still
    fits then: so none waits for memory that others hold while they wait. One input is always
    let in, whatever it takes.

    Args:
        total: bytes.
    """

    def __init__(self, total: int) -> None:
        self._total, self._changed = total, Condition()
        self._inside: list[InputMemory] = []
        self._computing = 0  # bytes
        self._queue: deque[object] = deque()

    @contextmanager
    def admit(self, item: InputMemory) -> Iterator[None]:
        """Wait until the input fits, and hold its memory."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._fits(item))
            self._queue.popleft()
            self._inside.append(item)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(item)
                self._changed.notify_all()

    @contextmanager
    def compute(self, item: InputMemory) -> Iterator[None]:
        """Wait until the computation of an admitted input fits, and hold its memory."""
        with self._changed:
            self._changed.wait_for(lambda: not self._computing or self._used(item) <= self._total)
            self._computing += item.compute
        try:
            yield
        finally:
            with self._changed:
                self._computing -= item.compute
                self._changed.notify_all()

    def _used(self, more: InputMemory) -> int:
        return sum(item.held for item in self._inside) + self._computing + more.compute

    def _fits(self, item: InputMemory) -> bool:
        everyone = [*self._inside, item]
        held = sum(one.held for one in everyone)
        largest = max(self._computing, *(one.compute for one in everyone))
        return not self._inside or held + largest <= self._total
