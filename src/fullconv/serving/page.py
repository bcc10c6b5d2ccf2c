"""GET /: a web page that segments photos with this server's models."""

import secrets
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from fullconv.export.page.bundle import served_page
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._openapi import operation
from fullconv.serving._service import Service


def routes(service: Service) -> Sequence[Route]:
    """Return the route of the page, if the server has one."""
    settings = {"corrections": service.settings.corrections is not None}

    async def show(request: Request) -> Response:
        del request
        page, policy = served_page(settings, secrets.token_hex(16))
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(page, headers=headers)

    return [Route("/", show)] if service.settings.page else []


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the route."""
    page = operation("A page that segments photos", {"text/html": {"schema": {}}}, (403, 405))
    return {"/": {"get": page}} if service.settings.page else {}


members.register("page")(Member(routes, open=("/",), paths=paths))
