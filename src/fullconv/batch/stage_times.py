"""Add up what the photos of a job take: reading, computing and writing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

STAGES = ("read", "compute", "write")


class StageTimes:
    """Seconds of each stage, summed over all photos and threads; any thread may add to them.

    Waiting for a turn to compute, or for memory, is in none of them. A copy in another process
    starts at zero, and what it measures stays there.

    Attributes:
        seconds: by stage.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = Lock()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage, also if it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            with self._lock:
                self.seconds[stage] += took

    @property
    def shares(self) -> dict[str, float]:
        """The share of each stage, in [0, 1]; {} if nothing was measured."""
        total = sum(self.seconds.values())
        return {stage: one / total for stage, one in self.seconds.items()} if total else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return StageTimes, ()
