"""Where the application runs: this process, or replicas on a Ray cluster. One file per executor.

An executor gets a plan. It opens the models and yields a server that is bound to its address.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fullconv._registry import Registry
from fullconv.serving._limits import Access, Limits, Settings
from fullconv.serving._models import EngineOptions


@dataclass(frozen=True)
class ServerPlan:
    """What is served, and how. It can be pickled, if `engine.announce` can.

    Attributes:
        sources: run folders and model files, see `open_models`.
        limits: what the server takes on; with several replicas, what each of them does.
        access: who may use it.
        settings: its optional parts.
        engine: how the engines of the models are chosen.
        device: "cpu", "cuda", ...
        host: listened at.
        port: listened at; 0 is any free one.
        uds: a Unix socket that is listened at instead.
        grace: seconds for the work in progress at the end.
        root_path: where a proxy has the server, e.g. "/segment".
        replicas: processes that predict.
    """

    sources: Sequence[str]
    limits: Limits
    access: Access = field(default_factory=Access)
    settings: Settings = field(default_factory=Settings)
    engine: EngineOptions = field(default_factory=EngineOptions)
    device: str = "cpu"
    host: str = "127.0.0.1"
    port: int = 8000
    uds: Path | None = None
    grace: float = 30
    root_path: str = ""
    replicas: int = 1


class BoundServer(Protocol):
    """A server whose models are open."""

    @property
    def port(self) -> int | None:
        """Where it listens; None at a Unix socket."""

    def run(self, signals: Sequence[object]) -> bool:
        """Serve until `signals` holds something; return whether computations are still running.

        Args:
            signals: grows from outside; a second entry ends the server at once.
        """


Executor = Callable[[ServerPlan], AbstractContextManager[BoundServer]]

executors: Registry[Executor] = Registry("fullconv.serving.executors", "executor")
