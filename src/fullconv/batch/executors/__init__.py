"""Where a job runs: threads of this process, or a Ray cluster. One file per executor.

An executor gets a worker and the inputs, which it requests one by one, and yields their records in
the same order. It may process an input twice if a machine is lost; it omits none.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from fullconv._registry import Registry
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record
from fullconv.batch.memory_gate import InputMemory


@runtime_checkable
class Opened(Protocol):
    """What `InputWorker.open` returns."""

    @property
    def memory(self) -> InputMemory:
        """What the input takes."""


@runtime_checkable
class InputWorker(Protocol):
    """Process an input in four steps, which overlap with the steps of other inputs.

    Workers can be pickled. `open`, `read`, `compute` and `write` may raise anything:
    `record_failure` turns it into a record. An `OutputError` is not the input's fault and aborts
    the job.
    """

    @property
    def threads(self) -> int:
        """CPU threads of one `compute`."""

    @property
    def gpus(self) -> float:
        """GPUs of one `compute`; may be a fraction."""

    @property
    def at_once(self) -> int:
        """Number of inputs that one machine computes at the same time."""

    @property
    def memory(self) -> int:
        """Bytes for one of the inputs that are computed at the same time."""

    def prepare(self) -> None:
        """Load what this process and this thread need; repeated calls cost nothing."""

    def open(self, item: Input, at_once: int) -> Opened:
        """Find out how much memory the input takes.

        Args:
            item: the input.
            at_once: inputs that this process computes at the same time.
        """

    def read(self, item: Input, opened: Any) -> Any:
        """Read what `compute` needs; `opened` is what `open` returned."""

    def compute(self, loaded: Any, opened: Any) -> Any:
        """Compute the prediction."""

    def write(self, item: Input, loaded: Any, prediction: Any) -> Record:
        """Write the prediction's files."""

    def record_failure(self, item: Input, error: Exception) -> Record:
        """Return the record of an input that failed."""


Executor = Callable[[InputWorker, Iterable[Input]], Iterator[Record]]

executors: Registry[Executor] = Registry("fullconv.batch.executors", "executor")
