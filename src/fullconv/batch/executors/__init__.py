"""Who answers many inputs: threads of this process, or a cluster. This folder is the list of them.

An engine gets work and the inputs, one after the other as it asks for them, and gives back their
records in the same order. It may do an input twice where a machine is lost; it leaves none out.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from fullconv._registry import Registry
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Record


@runtime_checkable
class WorkItems(Protocol):
    """What is done with each input, in three parts that overlap with other inputs' parts.

    It can be sent to another machine. `read` and `write` may raise what they like: `failed` makes a
    record of it. An `OutputError` is no input's fault and ends all.

    Attributes:
        threads: of the CPU, that one `compute` uses.
        gpus: that one `compute` uses; may be a part of one.
        at_once: how many inputs one machine computes at the same time.
    """

    @property
    def threads(self) -> int: ...  # noqa: D102

    @property
    def gpus(self) -> float: ...  # noqa: D102

    @property
    def at_once(self) -> int: ...  # noqa: D102

    def prepare(self) -> None:
        """Get ready in this process; more calls cost nothing."""

    def read(self, item: Input) -> Any:
        """Get what `compute` needs."""

    def compute(self, loaded: Any) -> Any:
        """Use the processor."""

    def write(self, item: Input, loaded: Any, answer: Any) -> Record:
        """Keep the answer."""

    def failed(self, item: Input, error: Exception) -> Record:
        """Say that this input has no answer, and why."""


Engine = Callable[[WorkItems, Iterable[Input]], Iterator[Record]]

engines: Registry[Engine] = Registry("fullconv.batch.executors", "engine")
