"""GET /metrics, for Prometheus."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullconv.serving._members import Member, Paths, members
from fullconv.serving._metrics import MEDIA_TYPE
from fullconv.serving._openapi import operation
from fullconv.serving._service import Service


def routes(service: Service) -> Sequence[Route]:
    """Return the route of the metrics."""

    async def show(request: Request) -> Response:
        return Response(service.metrics.text(), media_type=MEDIA_TYPE)

    return [Route("/metrics", show)]


def paths(service: Service) -> Paths:
    """Return what openapi.json says of it."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"/metrics": {"get": operation("Metrics in Prometheus' text format", content)}}


members.register("metrics")(Member(routes, paths=paths))
