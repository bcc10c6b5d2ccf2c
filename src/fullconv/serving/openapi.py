"""GET /openapi.json: what the server offers, for programs; and no page that loads anything."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv._version import __version__
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._openapi import PROBLEM, json_content, operation
from fullconv.serving._service import Service


def routes(service: Service) -> Sequence[Route]:
    """Return the route of the document."""

    async def show(request: Request) -> Response:
        root = request.scope.get("root_path", "")
        return JSONResponse(document(service, root))

    return [Route("/openapi.json", show)]


def document(service: Service, root: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of all parts of the server.

    Args:
        service: whose models are named.
        root: the path of the server.
    """
    parts = [members[name] for name in members]
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "fullconv", "version": __version__},
        "servers": [{"url": root or "/"}],
        "paths": {path: entry for part in parts for path, entry in part.paths(service).items()},
        "components": {"schemas": {"Problem": PROBLEM}},
    }
    for part in parts:
        found["components"]["schemas"] |= part.schemas
    if service.access.key is not None:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
    return found


def paths(service: Service) -> Paths:
    """Return what the document says of itself."""
    content = json_content({"type": "object"})
    return {"/openapi.json": {"get": operation("This document", content)}}


members.register("openapi")(Member(routes, paths=paths))
