"""What Prometheus reads at /metrics. Labels have a bounded number of values."""

from collections.abc import Callable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fullconv.serving._models import ServedModel
from fullconv.serving._stages import STAGES, Stages

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""The route of requests for unknown paths, and the reason of refusals without one."""


class State(Protocol):
    """What the gauges show of a service."""

    @property
    def waiting(self) -> int:
        """Requests with a place that are not being computed."""

    @property
    def running(self) -> int:
        """Predictions that are being computed."""

    @property
    def planned_bytes(self) -> int:
        """Bytes planned for bodies and photos, and of responses that are not read yet."""

    @property
    def memory_bytes(self) -> int:
        """Bytes that may be planned."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes work."""


class Metrics:
    """The metrics of one service."""

    def __init__(self, state: State) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "fullconv_requests",
            "Requests by model, route and HTTP status; 499: the client left.",
            ["model", "route", "status"],
            registry=registry,
        )
        self._stages = Histogram(
            "fullconv_stage_seconds",
            "Seconds of the stages of predictions.",
            ["stage"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._refused = Counter(
            "fullconv_rejected",
            "Requests that were refused, by reason.",
            ["reason"],
            registry=registry,
        )
        self._cancelled = Counter(
            "fullconv_cancelled",
            "Requests whose client left, by the stage they were in.",
            ["stage"],
            registry=registry,
        )
        self.pixels = Counter("fullconv_pixels", "Pixels that were predicted.", registry=registry)
        self._models = Gauge(
            "fullconv_model_info",
            "The models; always 1.",
            ["model", "fingerprint", "engine", "precision"],
            registry=registry,
        )
        for stage in STAGES:  # so that they are there from the start
            self._stages.labels(stage)
            self._cancelled.labels(stage)
        _gauge(registry, "waiting", "Requests that wait.", lambda: state.waiting)
        _gauge(registry, "running", "Predictions being computed.", lambda: state.running)
        _gauge(registry, "planned_bytes", "Bytes in use by plan.", lambda: state.planned_bytes)
        _gauge(registry, "memory_bytes", "Bytes that may be used.", lambda: state.memory_bytes)
        _gauge(registry, "ready", "1 if it takes work.", lambda: state.is_ready)

    def show_models(self, models: Mapping[str, ServedModel]) -> None:
        """Set which models there are."""
        self._models.clear()
        for served in models.values():
            self._models.labels(
                served.name, served.fingerprint, served.engine, served.precision
            ).set(1)

    def count_request(self, model: str, route: str, status: int, stages: Stages) -> None:
        """Count a request that has ended.

        Args:
            model: its name; "" for requests of no model.
            route: the pattern of its path; "" if there is none.
            status: of its response; 499 if the client left.
            stages: the times of its stages.
        """
        self._requests.labels(model, route or OTHER, str(status)).inc()
        for stage, seconds in stages.seconds.items():
            self._stages.labels(stage).observe(seconds)
        if status == 499 and stages.current:
            self._cancelled.labels(stages.current).inc()

    def count_refusal(self, reason: str) -> None:
        """Count a request that was refused before its prediction."""
        self._refused.labels(reason or OTHER).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def _gauge(registry: CollectorRegistry, name: str, text: str, read: Callable[[], float]) -> None:
    Gauge(f"fullconv_{name}", text, registry=registry).set_function(read)
