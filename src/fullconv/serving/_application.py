"""The ASGI application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from threading import Thread

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from fullconv.serving._guard import Guard, Protect
from fullconv.serving._limits import Access, Limits, Settings
from fullconv.serving._members import Member, members
from fullconv.serving._models import ServedModel
from fullconv.serving._query import checked
from fullconv.serving._requests import Requests
from fullconv.serving._service import Service
from fullconv.serving._settle import settle_engines
from fullconv.serving._warm_up import warm_up
from fullconv.serving._watch import Watcher

logger = logging.getLogger("fullconv.serving")


def app(
    models: Mapping[str, ServedModel],
    limits: Limits,
    access: Access | None = None,
    settings: Settings | None = None,
) -> ASGIApp:
    """Return the ASGI application that serves models.

    Args:
        models: by name, from `open_models`; the first is the default.
        limits: what the server takes on.
        access: who may use it; by default programs and pages of this machine, without a key.
        settings: its optional parts.
    """
    return application(Service(dict(models), limits, access or Access(), settings or Settings()))


def application(service: Service) -> ASGIApp:
    """Return the ASGI application of a service."""
    parts = [members[name] for name in members]
    open_paths = {path for part in parts for path in part.open}
    if service.access.open_metrics:
        open_paths.add("/metrics")

    watch = service.settings.watch
    watcher = None if watch is None else Watcher(service)

    @asynccontextmanager
    async def lifespan(router: Router) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_get_ready(service))]
        if watcher and watch:
            tasks.append(asyncio.create_task(watcher.run(watch)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            service.close()

    # A router alone: Starlette's application would report errors before `Requests` does.
    router = Router(
        [route for part in parts for route in _routes(part, service)],
        redirect_slashes=False,
        lifespan=lifespan,
    )
    guarded = Guard(router, service.access, open_paths)
    return Protect(Requests(guarded, service), service.access)


def _routes(part: Member, service: Service) -> Iterator[Route]:
    """Yield the routes of a part, which refuse parameters that openapi.json does not name.

    Pages and probes are opened by links and programs that append parameters of their own.
    """
    described = part.paths(service)
    for route in part.routes(service):
        known = described.get(route.path, {})
        yield route if route.path in part.open else checked(route, known)


async def _get_ready(service: Service) -> None:
    """Compute one prediction with each model; the server is ready if that succeeds."""
    if not service.ready:
        try:
            await asyncio.to_thread(warm_up, service)
        except Exception:
            logger.exception("the warm-up failed, so the server does not become ready")
            return
        service.ready = True
    # A thread that the server's end does not wait for.
    Thread(target=settle_engines, args=(service,), daemon=True).start()
