"""This process: uvicorn at a port or a Unix socket."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fullconv.errors import ConfigError
from fullconv.serving._application import application
from fullconv.serving._models import open_models
from fullconv.serving._server import bind, bind_path, serve, unlink_socket
from fullconv.serving._service import Service
from fullconv.serving.executors import BoundServer, ServerPlan, executors


@executors.register("local")
@contextmanager
def open_server(plan: ServerPlan) -> Iterator[BoundServer]:
    """Bind the address, which takes no time, then open the models, which takes seconds.

    Raises:
        ConfigError: it has more than one replica, or a model cannot be served.
        OutputError: the address cannot be used.
        WeightsError: a model's file cannot be read.
    """
    if plan.replicas != 1:
        raise ConfigError("--replicas needs --executor ray; one process has --at-once instead")
    with _listening(plan) as bound:
        models = open_models(plan.sources, plan.device, replace(plan.engine, measure=False))
        service = Service(models, plan.limits, plan.access, plan.settings)
        bound.listen()  # clients may connect as soon as the address is printed
        yield LocalServer(plan, service, bound)


@dataclass(frozen=True)
class LocalServer:
    """A server in this process.

    Attributes:
        plan: how it serves.
        service: its models and its work.
        bound: its socket.
    """

    plan: ServerPlan
    service: Service
    bound: socket.socket

    @property
    def port(self) -> int | None:
        """Where it listens; None at a Unix socket."""
        return None if self.plan.uds else int(self.bound.getsockname()[1])

    def run(self, signals: Sequence[object]) -> bool:
        """Serve until `signals` holds something; return whether computations are still running."""
        serve(
            application(self.service),
            self.service,
            self.bound,
            grace=self.plan.grace,
            root_path=self.plan.root_path,
            signals=signals,
        )
        return self.service.gate.computing > 0 or self.service.measuring


@contextmanager
def _listening(plan: ServerPlan) -> Iterator[socket.socket]:
    if plan.uds is None:
        with bind(plan.host, plan.port) as bound:
            yield bound
        return
    with bind_path(plan.uds) as bound:
        made = plan.uds.stat()
        try:
            yield bound
        finally:
            unlink_socket(plan.uds, made)
