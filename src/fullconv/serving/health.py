"""Whether the server runs, and whether it takes work."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.serving._members import Member, Paths, members
from fullconv.serving._openapi import json_content, operation
from fullconv.serving._service import Service

LIVE = ("/livez", "/v2/health/live")
READY = ("/readyz", "/v2/health/ready")


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of probes."""

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        return JSONResponse({"ready": service.is_ready}, 200 if service.is_ready else 503)

    return [
        *(Route(path, live) for path in LIVE),
        *(Route(path, ready) for path in READY),
    ]


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the routes."""
    live = operation("Whether the server runs", _flag("live"))
    busy = {"503": {"description": "It takes no work now", "content": _flag("ready")}}
    ready = operation("Whether the server takes work", _flag("ready"), others=busy)
    return {path: {"get": live} for path in LIVE} | {path: {"get": ready} for path in READY}


def _flag(name: str) -> dict[str, Any]:
    properties = {name: {"type": "boolean"}}
    return json_content({"type": "object", "required": [name], "properties": properties})


members.register("health")(Member(routes, open=(*LIVE, *READY), paths=paths))
