"""Refuse parameters in the query of a URL that would have no effect."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fullconv.errors import printable
from fullconv.serving._problems import Problem


def checked(route: Route, operations: Mapping[str, Any]) -> Route:
    """Return a route that takes the parameters of its description alone.

    The clients whose protocols the server speaks (Hugging Face, KServe and Triton, Label Studio)
    send none.

    Args:
        route: of a part of the server.
        operations: method -> its operation in openapi.json.
    """
    known = {method.upper(): _query_names(operation) for method, operation in operations.items()}
    route.app = _Checked(route.app, known)
    return route


class _Checked:
    """Check the query before a request is handled.

    Args:
        app: handles the request.
        known: method -> the names of parameters.
    """

    def __init__(self, app: ASGIApp, known: Mapping[str, Sequence[str]]) -> None:
        self.app, self.known = app, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        _check_query(scope["query_string"], self.known.get(method, ()))
        await self.app(scope, receive, send)


def _check_query(query: bytes, known: Collection[str]) -> None:
    """Check the parameters of a query.

    Raises:
        Problem: one is unknown or repeated.
    """
    names = [name for name, _ in QueryParams(query).multi_items()]
    unknown = sorted({*names} - {*known})
    if unknown:
        expected = " and ".join(known) or "none in the query of this URL"
        raise Problem(400, f"unknown parameter {printable(unknown[0][:60])!r}; expected {expected}")
    if len(names) != len({*names}):
        raise Problem(400, "a parameter is given twice; expected each once")


def _query_names(operation: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
