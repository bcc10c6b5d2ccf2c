"""In Ray Serve's HTTP proxy: every request gets a whole response, also if its replica is lost.

Ray's response to a request whose replica died is "500 Internal Server Error"; it has others of its
own in plain text. Here they become problems as those of the application, and a lost prediction a
503: it changes nothing, so a client may send it again.
"""

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullconv.serving._guard import HEADERS
from fullconv.serving._problems import problem_response
from fullconv.serving._requests import request_id

CALLBACK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
"""The variable in which Ray's proxies find the path of `middlewares`."""

HEALTH = "/-/healthz"  # of the proxy itself
MARK = "x-fullconv-replica"  # of the application's responses
RETRY = {"Retry-After": "1"}
LOST = "the replica that worked on this request was lost; try again"
FULL = "all replicas are busy, and as many requests wait as may; try again"
ENDING = "the server is about to end and takes no new work; try again"
LATE = "no result in time; try again"
_OWN = {404: (503, ENDING), 408: (504, LATE), 503: (503, FULL)}  # by Ray's status, 404: no app


def middlewares() -> list[Middleware]:
    """Return what Ray's proxy wraps around its own application."""
    return [Middleware(WholeResponses)]


class Marked:
    """In a replica: mark the responses of the application.

    Args:
        app: handles the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[MARK] = "1"
            await send(message)

        await self.app(scope, receive, send_marked)


class WholeResponses:
    """In the proxy: pass marked responses on once they are complete; replace all others.

    Args:
        app: of Ray, which sends requests to replicas.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] == HEALTH:
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        headers["x-request-id"] = number = request_id(headers)  # for Ray and the application
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        if messages and _is_marked(messages[0]) and not messages[-1].get("more_body", False):
            MutableHeaders(scope=messages[0])["x-request-id"] = number  # Ray adds another one
            for message in messages:
                await send(message)
            return
        status = messages[0].get("status", 0) if messages else 0
        status, detail = _OWN.get(status, (503, LOST))
        response = problem_response(status, detail, HEADERS | RETRY | {"X-Request-Id": number})
        await response(scope, receive, send)


def _is_marked(start: Message) -> bool:
    """Return whether a response is the application's, and remove its mark."""
    if start["type"] != "http.response.start":
        return False
    headers = MutableHeaders(scope=start)
    marked = MARK in headers
    del headers[MARK]
    return marked
