"""How long the stages of a request took, for its Server-Timing header and the metrics."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

STAGES = ("queue", "body", "decode", "compute", "encode")


@dataclass
class Stages:
    """Seconds of each stage of one request.

    Attributes:
        seconds: stage -> seconds, of the stages so far.
        current: the stage that it is in.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    current: str = "queue"

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        before, self.current = self.current, stage
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed
        self.current = before  # not after an error: the stage that it happened in is kept

    @property
    def header(self) -> str:
        """The value of Server-Timing, in milliseconds."""
        known = [stage for stage in STAGES if stage in self.seconds]
        return ", ".join(f"{stage};dur={1000 * self.seconds[stage]:.1f}" for stage in known)


@contextmanager
def waiting(entry: AbstractContextManager[None], stages: Stages) -> Iterator[None]:
    """Enter a context manager, and add the time until it lets this thread in to "queue"."""
    with ExitStack() as stack:
        with stages.measure("queue"):
            stack.enter_context(entry)
        yield
