"""Let inputs in as long as they fit into the memory."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from fullconv.inference.stopping import Stop, StoppedError, never


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
        at_once: number of computations at the same time; None for any.
        ahead: number of inputs beyond `at_once` that are let in, to be read or written meanwhile;
            None for any.

    Attributes:
        computing: number of computations now.
    """

    def __init__(self, total: int, at_once: int | None = None, ahead: int | None = None) -> None:
        self._total, self._changed = total, Condition()
        self._at_once = at_once
        self._most = None if at_once is None or ahead is None else at_once + ahead
        self._inside: list[InputMemory] = []
        self._computing_bytes = self._kept_bytes = 0
        self.computing = 0
        self._queue: deque[object] = deque()

    @contextmanager
    def admit(self, item: InputMemory, stop: Stop = never) -> Iterator[None]:
        """Wait until the input fits, and hold its memory.

        Raises:
            StoppedError: `stop` returned True meanwhile; it is asked again after each `wake`.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._wait(lambda: self._queue[0] is ticket and self._fits(item), stop)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
            self._inside.append(item)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(item)
                self._changed.notify_all()

    @contextmanager
    def compute(self, item: InputMemory, stop: Stop = never) -> Iterator[None]:
        """Wait until the computation of an admitted input fits, and hold its memory.

        Raises:
            StoppedError: `stop` returned True meanwhile.
        """
        with self._changed:
            self._wait(lambda: self._can_compute(item), stop)
            self._computing_bytes += item.compute
            self.computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing_bytes -= item.compute
                self.computing -= 1
                self._changed.notify_all()

    @contextmanager
    def keep(self, count: int) -> Iterator[None]:
        """Count bytes that are there already, beside those of the inputs; waits for nothing.

        Inputs wait until they fit beside them, except that one is always let in.
        """
        with self._changed:
            self._kept_bytes += count
        try:
            yield
        finally:
            self.give_back(count)

    def take(self, count: int) -> bool:
        """Keep bytes until `give_back` if they fit beside those held and kept; waits for nothing.

        Returns:
            Whether they fit.
        """
        with self._changed:
            held = self._kept_bytes + sum(item.held for item in self._inside)
            if held + count > self._total:
                return False
            self._kept_bytes += count
            return True

    def give_back(self, count: int) -> None:
        """No longer keep bytes that `take` has kept."""
        with self._changed:
            self._kept_bytes -= count
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those who wait ask their `stop` again."""
        with self._changed:
            self._changed.notify_all()

    @property
    def planned(self) -> int:
        """Bytes that the inputs inside hold, that their computations take, and that are kept."""
        with self._changed:
            held = sum(item.held for item in self._inside)
            return held + self._computing_bytes + self._kept_bytes

    def _wait(self, ready: Callable[[], bool], stop: Stop) -> None:
        self._changed.wait_for(lambda: stop() or ready())
        if stop():
            raise StoppedError

    def _can_compute(self, item: InputMemory) -> bool:
        if self._at_once is not None and self.computing >= self._at_once:
            return False
        held = self._kept_bytes + sum(one.held for one in self._inside)
        return not self.computing or held + self._computing_bytes + item.compute <= self._total

    def _fits(self, item: InputMemory) -> bool:
        if self._most is not None and len(self._inside) >= self._most:
            return False
        everyone = [*self._inside, item]
        held = self._kept_bytes + sum(one.held for one in everyone)
        largest = max(self._computing_bytes, *(one.compute for one in everyone))
        return not self._inside or held + largest <= self._total
