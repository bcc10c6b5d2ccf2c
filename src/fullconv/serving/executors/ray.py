"""A Ray cluster: replicas of the application, and Ray Serve's HTTP proxies in front of them.

Each replica is a process with the models and the limits of a server of its own. Ray's proxies send
a request to the replica with fewer of them in progress.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp

from fullconv.batch.ray_cluster import check_room, connected
from fullconv.errors import ConfigError, EngineError, require
from fullconv.hardware import set_threads
from fullconv.serving._application import application
from fullconv.serving._limits import Limits
from fullconv.serving._models import open_models
from fullconv.serving._server import bind
from fullconv.serving._service import Service
from fullconv.serving._warm_up import warm_up
from fullconv.serving.executors import BoundServer, ServerPlan, executors
from fullconv.serving.executors._ray_proxy import CALLBACK, Marked, middlewares

APP = "fullconv"
OTHERS = 16  # requests of a replica beside its predictions: probes, the page, metrics
LATE = 30  # seconds after which Ray gives up a request that a replica should have ended
# Ray's 5 seconds are too few for its proxy to start on a busy machine.
READY, READY_SECONDS = "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60"
POLL = 0.1  # seconds between two looks at the signals

logger = logging.getLogger("fullconv.serving")


@executors.register("ray")
@contextmanager
def open_server(plan: ServerPlan) -> Iterator[BoundServer]:
    """Start the replicas on the cluster at RAY_ADDRESS, or on one started on this machine.

    Raises:
        MissingExtraError: Ray Serve is not installed.
        ConfigError: the cluster has no room for the replicas, or serves something already.
        EngineError: a replica cannot start.
        OutputError: the address cannot be used.
    """
    if plan.uds:
        raise ConfigError("--uds is for one process; with --executor ray give --host and --port")
    ray = require("ray", extra="ray-serve", what="--executor ray")
    serve = require("ray.serve", extra="ray-serve", what="--executor ray")
    port = _free_port(plan.host, plan.port)
    variables = {CALLBACK: f"{middlewares.__module__}.{middlewares.__name__}", READY: READY_SECONDS}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    with connected(ray, variables) as ends_with_it:
        needs = _needs(plan)
        check_room(ray, needs, "replica", plan.replicas)
        if serve.status().proxies:
            raise ConfigError(
                "the cluster runs Ray Serve already; end that first with: serve shutdown"
            )
        http: dict[str, Any] = {"host": plan.host, "port": port, "root_path": plan.root_path}
        http["request_timeout_s"] = plan.limits.seconds + plan.limits.body_seconds + LATE
        try:
            _start(ray, serve, plan, needs, http)
            yield RayServer(serve, port)
        finally:
            if not ends_with_it:
                serve.shutdown()


@dataclass(frozen=True)
class RayServer:
    """An application that runs on a cluster.

    Attributes:
        serve: Ray's package.
        port: where its proxies listen.
    """

    serve: Any
    port: int | None

    def run(self, signals: Sequence[object]) -> bool:
        """Wait until `signals` holds something, then until the replicas have ended their work."""
        waiting = threading.Event()
        while not signals:
            waiting.wait(POLL)
        ending = threading.Thread(target=self.serve.delete, args=(APP,), daemon=True)
        ending.start()
        while ending.is_alive() and len(signals) < 2:
            ending.join(POLL)
        return ending.is_alive()


def _start(
    ray: Any, serve: Any, plan: ServerPlan, needs: dict[str, float], http: dict[str, Any]
) -> None:
    """Run the application; return once all replicas have predicted once."""
    quiet = replace(plan, engine=replace(plan.engine, announce=logger.info))

    def build() -> ASGIApp:  # in each replica
        return replica(quiet)

    places = plan.limits.at_once + plan.limits.queue
    options = {
        "name": APP,
        "num_replicas": plan.replicas,
        "max_ongoing_requests": places + OTHERS,
        "max_queued_requests": places,
        "graceful_shutdown_timeout_s": plan.grace,
        "graceful_shutdown_wait_loop_s": POLL,
        "ray_actor_options": {
            "num_cpus": needs["CPU"],
            "num_gpus": needs["GPU"],
            "memory": needs["memory"],
        },
    }
    deployment = serve.deployment(**options)(serve.ingress(build)())
    try:
        serve.start(http_options=http)
        serve.run(deployment.bind(), name=APP, route_prefix="/")
    except (RuntimeError, TimeoutError, ray.exceptions.RayError) as error:
        reason = _reason(serve) or str(error)
        raise EngineError(f"the replicas do not start: {reason}") from error


def replica(plan: ServerPlan) -> ASGIApp:
    """Return the application of one replica, whose models have predicted once."""
    set_threads(plan.limits.threads)
    models = open_models(plan.sources, plan.device, plan.engine)
    service = Service(models, plan.limits, plan.access, plan.settings)
    warm_up(service)
    service.ready = True
    return Marked(application(service))


def _needs(plan: ServerPlan) -> dict[str, float]:
    """Return what Ray reserves for a replica."""
    limits: Limits = plan.limits
    gpus = 0 if plan.device == "cpu" else 1
    return {"CPU": limits.threads * limits.at_once, "GPU": gpus, "memory": limits.memory}


def _reason(serve: Any) -> str:
    """Return the last line of what a replica reported."""
    statuses = [
        text
        for app in serve.status().applications.values()
        for text in (app.message, *(one.message for one in app.deployments.values()))
        if text
    ]
    lines = [line.strip() for text in statuses for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; Ray's proxies bind it themselves.

    Raises:
        OutputError: it is in use.
    """
    with closing(bind(host, port)) as bound:
        bound.listen()
        return int(bound.getsockname()[1])
