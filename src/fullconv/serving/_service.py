"""What the parts of the server share: its models, its limits, and the work in progress."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from starlette.requests import Request

from fullconv.batch.memory_gate import InputMemory, MemoryGate
from fullconv.batch.photo_memory import plan_photo
from fullconv.batch.writers import Writer
from fullconv.errors import MemoryBudgetError, UnknownNameError
from fullconv.inference.prediction import Prediction
from fullconv.inference.stopping import Stop
from fullconv.io.images import Header
from fullconv.serving._limits import Access, Limits, Settings
from fullconv.serving._metrics import Metrics
from fullconv.serving._models import ServedModel
from fullconv.serving._problems import ClientLeftError, Problem

Result = TypeVar("Result")

AHEAD = 2
"""Photos that are decoded or encoded while others are computed."""

PLANS = 256  # that are kept

FIRST_GUESS = 1.0  # seconds of a request, before any has been measured


@dataclass
class Service:
    """A server's models, and its work in progress.

    Attributes:
        models: by name; the first is the default.
        limits: what it takes on.
        access: who may use it.
        settings: its optional parts.
        gate: lets photos in as their part of the memory allows.
        bodies: counts the bodies in memory, and lets large ones be parsed as their part allows.
        small_bodies: lets small ones be parsed as their part allows, whatever large ones hold.
        ready: whether a warm-up has ended well.
        draining: whether it takes no new work.
        measuring: whether engines are being measured.
        in_progress: requests for predictions that have a place.
    """

    models: dict[str, ServedModel]
    limits: Limits
    access: Access = field(default_factory=Access)
    settings: Settings = field(default_factory=Settings)
    ready: bool = False
    draining: bool = False
    measuring: bool = False
    in_progress: int = 0
    open_requests: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self.gate = MemoryGate(limits.photo_memory, limits.at_once, AHEAD)
        self.bodies = MemoryGate(limits.large_memory)
        self.small_bodies = MemoryGate(limits.small_memory)
        self._pool = ThreadPoolExecutor(limits.queue + limits.at_once, "fullconv-serve")
        self._plan, self._replacing = self._new_plans(), threading.Lock()
        self.metrics = Metrics(self)
        self.metrics.show_models(self.models)
        self._usual = FIRST_GUESS  # seconds of a request, a moving average

    @property
    def waiting(self) -> int:
        """Requests that have a place and are not being computed."""
        return max(0, self.in_progress - self.gate.computing)

    @property
    def running(self) -> int:
        """Predictions that are being computed."""
        return self.gate.computing

    @property
    def planned_bytes(self) -> int:
        """Bytes planned for bodies and photos, and of responses that are not read yet."""
        return self.gate.planned + self.bodies.planned + self.small_bodies.planned

    @property
    def memory_bytes(self) -> int:
        """Bytes that may be planned."""
        return self.limits.memory

    @property
    def is_ready(self) -> bool:
        """Whether it takes work."""
        return self.ready and not self.draining

    def model(self, name: str | None = None) -> ServedModel:
        """Return a model by name, or the default one.

        Raises:
            Problem: there is no such model.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem(404, str(UnknownNameError("model", name[:100], self.models)))
        return self.models[name]

    def replace_model(self, served: ServedModel, former: ServedModel | None = None) -> bool:
        """Serve another model of an existing name; requests in progress keep theirs.

        Args:
            served: the model.
            former: that it replaces; another one stays. None replaces any.

        Returns:
            Whether it is served.
        """
        with self._replacing:
            if former is not None and self.models[served.name] is not former:
                return False
            self.models[served.name] = served
            self._plan = self._new_plans()  # those of before would keep the former in memory
            self.metrics.show_models(self.models)
        return True

    def plan(
        self,
        served: ServedModel,
        header: Header,
        output: Writer,
        scales: Sequence[float] | None = None,
    ) -> InputMemory:
        """Plan the memory of a photo; see `plan_photo`.

        Plans of recent photos are kept: planning takes milliseconds, and sizes repeat.

        Raises:
            MemoryBudgetError: it takes more than the server's memory.
        """
        sized = replace(output, encode=_no_bytes, collector=None)  # what a plan depends on
        plan = self._plan  # before the look at the models, which are replaced before it
        if self.models.get(served.name) is not served:
            plan = self._plan_photo  # a kept plan would keep the former model in memory
        return plan(served, header, sized, None if scales is None else tuple(scales))

    def _new_plans(self) -> Callable[..., InputMemory]:
        return lru_cache(maxsize=PLANS)(self._plan_photo)

    def _plan_photo(
        self,
        served: ServedModel,
        header: Header,
        output: Writer,
        scales: tuple[float, ...] | None,
    ) -> InputMemory:
        limits = self.limits
        total, at_once = limits.photo_memory, limits.at_once
        try:
            return plan_photo(served.model, header, [output], scales, total, at_once)
        except MemoryBudgetError as error:
            raise MemoryBudgetError(f"{error} (photos get seven eighths of --memory)") from error

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for a request, from before its body is read until its response is made.

        Raises:
            Problem: all places are taken, or the server is about to end.
        """
        if self.draining:
            raise Problem(
                503,
                "the server is about to end and takes no new work; try again",
                reason="draining",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        if self.in_progress >= self.limits.queue + self.limits.at_once:
            raise Problem(
                503,
                f"{self.in_progress} requests are in progress, which is the limit; try again",
                reason="queue",
                headers={"Retry-After": str(self._retry_after())},
            )
        self.in_progress += 1
        start = time.monotonic()
        try:
            yield
            self._usual += 0.1 * (time.monotonic() - start - self._usual)
        finally:
            self.in_progress -= 1

    async def run(
        self, request: Request | None, work: Callable[[Stop], Result], since: float | None = None
    ) -> Result:
        """Run blocking work in a thread; it is asked to stop once its result is not needed.

        A result that comes after that is closed, if it can be.

        Args:
            request: whose body has been read; None for work that no client waits for.
            work: gets a function that says whether to stop.
            since: when its time began, by `time.monotonic`; None is now.

        Raises:
            ClientLeftError: the client closed the connection.
            Problem: it took longer than `limits.seconds`.
        """
        stopped, passed = threading.Event(), 0.0 if since is None else time.monotonic() - since
        running = self._pool.submit(work, stopped.is_set)
        future = asyncio.wrap_future(running)
        future.add_done_callback(_retrieve)
        leaving = asyncio.create_task(_wait_for_leaving(request))
        both: set[asyncio.Future[Any]] = {future, leaving}
        try:
            done, _ = await asyncio.wait(
                both,
                timeout=max(0.0, self.limits.seconds - passed),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            leaving.cancel()
            if not future.done():
                stopped.set()
                future.cancel()  # if it has not begun
                running.add_done_callback(_close_result)
                for gate in (self.gate, self.bodies, self.small_bodies):
                    gate.wake()
        if future in done:
            return future.result()
        if leaving in done:
            raise ClientLeftError
        raise Problem(504, f"no result within {self.limits.seconds:g} seconds, which is the limit")

    def close(self) -> None:
        """End the threads once their work has ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _retry_after(self) -> int:
        """Return the seconds after which half of the requests in progress have usually ended."""
        return min(60, max(1, math.ceil(self._usual / 2)))


def _no_bytes(prediction: Prediction) -> bytes:
    return b""


async def _wait_for_leaving(request: Request | None) -> None:
    while request is None:
        await asyncio.sleep(3600)
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _close_result(running: "Future[Any]") -> None:
    """Close the result of work that is no longer waited for, if it can be closed."""
    if not running.cancelled() and running.exception() is None:
        close = getattr(running.result(), "close", None)
        if close is not None:
            close()


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Retrieve the error of work whose result is not needed, or asyncio would report it."""
    with suppress(asyncio.CancelledError):
        future.exception()
