"""Whether the server runs, and whether it takes work."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.serving._members import Member, members
from fullconv.serving._service import Service

LIVE = ("/livez", "/v2/health/live")
READY = ("/readyz", "/v2/health/ready")


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of probes."""

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        is_ready = service.ready and not service.draining
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    return [
        *(Route(path, live) for path in LIVE),
        *(Route(path, ready) for path in READY),
    ]


members.register("health")(Member(routes, open=(*LIVE, *READY)))
