"""Servers of a small model for the tests of `fullconv.serving`."""

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from starlette.testclient import TestClient

from fullconv.inference.stopping import check_stop, never
from fullconv.model import Model
from fullconv.serving import Access, Limits, Service, Settings, open_models
from fullconv.serving._application import application
from fullconv.serving._server import bind, serve
from photos import write_model

HOST = "http://127.0.0.1"
LIMITS = {"memory": 2**30}


def write_models(folder):
    """Write two models, and return their sources: street and other."""
    paths = {name: folder / f"{name}.safetensors" for name in ("street", "other")}
    for seed, path in enumerate(paths.values(), 1):
        write_model(path, seed)
    return [str(path) for path in paths.values()]


def make_service(models, access=None, settings=None, **limits):
    """Return a service of opened models with limits for tests."""
    return Service(
        models, Limits(**{**LIMITS, **limits}), access or Access(), settings or Settings()
    )


def client(service, **options):
    """Return a client of a service's application in this process."""
    return TestClient(application(service), base_url=HOST, **options)


@dataclass
class Running:
    """A server in a thread of this process.

    Attributes:
        service: its service.
        port: where it listens.
        signals: append something to end it.
        thread: ends with it.
    """

    service: Service
    port: int
    signals: list
    thread: threading.Thread

    @property
    def url(self):
        return f"{HOST}:{self.port}"

    def client(self, **options):
        return httpx2.Client(base_url=self.url, timeout=30, trust_env=False, **options)


@contextmanager
def running(service, grace=10.0):
    """Run a service with uvicorn on a free port until the block ends."""
    bound, signals = bind("127.0.0.1", 0), []
    port = bound.getsockname()[1]
    thread = threading.Thread(
        target=serve,
        args=(application(service), service, bound),
        kwargs={"grace": grace, "signals": signals},
        daemon=True,
    )
    thread.start()
    wait_for(lambda: service.ready)
    server = Running(service, port, signals, thread)
    try:
        yield server
    finally:
        signals += [15, 15][len(signals) :]
        thread.join(60)
        assert not thread.is_alive()


def wait_for(condition, seconds=60.0):
    """Wait until a condition holds; fail if it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition does not become true"
        time.sleep(0.005)


class SlowModel(Model):
    """A model whose predictions take as long as a test lets them, in parts.

    Attributes:
        started: predictions that have begun.
        parts: parts that were computed.
    """

    def __init__(self, model):
        self.__dict__.update(vars(model))
        self.started = self.parts = 0
        self.release = threading.Event()

    def predict(self, image, *, stop=never, **options):
        self.started += 1
        while not self.release.wait(0.005):
            check_stop(stop)
            self.parts += 1
        return super().predict(image, stop=stop, **options)


def open_test_models(folder):
    """Return the opened models of `write_models`, not optimized anew for each test."""
    return open_models(write_models(folder))


def run_async(coroutine):
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)
