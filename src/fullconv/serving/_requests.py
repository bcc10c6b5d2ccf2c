"""Around every request: its id, its log line, and the response to an error."""

import asyncio
import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullconv.errors import printable
from fullconv.inference.stopping import StoppedError
from fullconv.serving._problems import (
    ClientLeftError,
    Problem,
    as_problem,
    problem_response,
    routing_problem,
)
from fullconv.serving._sending import send_message
from fullconv.serving._service import Service
from fullconv.serving._stages import Stages

logger = logging.getLogger("fullconv.serving")

RETRY = {"Retry-After": "1"}
LEFT = 499  # in the log only: the client closed the connection before its response
REFUSALS = (401, 403, 408, 413, 415, 503)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Requests:
    """Give each request an id, log it, and turn its error into a response.

    Args:
        app: handles the requests.
        service: counts them.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        number, stages = request_id(Headers(scope=scope)), Stages()
        scope["fullconv.id"], scope["fullconv.stages"] = number, stages
        start, sent = time.monotonic(), {"status": 0}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = number
                if self.service.draining:
                    headers["Connection"] = "close"
            await send_message(message, send, self.service.gate)

        self.service.open_requests += 1
        status = 0
        try:
            status = await self._handle(scope, receive, send_with_id)
        finally:
            self.service.open_requests -= 1
            status = status or sent["status"] or LEFT
            self.service.metrics.count_request(*_place(scope), status, stages)
            _log(scope, status, time.monotonic() - start)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Handle a request; return its status if that is not the one that was sent."""
        problem: Problem | None
        scope["app"] = self  # or Starlette would report unknown paths in plain text
        try:
            await self.app(scope, receive, send)
            return 0
        except (ClientLeftError, StoppedError):
            return LEFT
        except asyncio.CancelledError:
            if not self.service.draining:  # Ray's proxy cancels requests whose client left
                return LEFT
            problem = Problem(
                503, "the server ended before the result", reason="draining", headers=RETRY
            )
        except HTTPException as error:
            problem = routing_problem(error, scope)
        except Exception as error:
            problem = as_problem(error)
            if problem is None:
                logger.exception("request %s: unexpected error", scope["fullconv.id"])
                problem = Problem(
                    500,
                    "an unexpected error, which is a bug of fullconv; the server's log has the "
                    f"details under the request {scope['fullconv.id']}",
                )
        if problem.status in REFUSALS:
            self.service.metrics.count_refusal(problem.reason)
        response = problem_response(problem.status, problem.detail, problem.headers)
        await response(scope, receive, send)
        return 0


def _place(scope: Scope) -> tuple[str, str]:
    """Return the model and the route of a request, of which there is a bounded number."""
    route = getattr(scope.get("route"), "path", "")
    model = scope.get("fullconv.model", "")
    return model, route


def request_id(headers: Headers) -> str:
    """Return the client's id of the request if it is plain, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Log a request: no photo, no key, and no query, in one line."""
    client = scope.get("client") or ("-", 0)
    facts = {
        "request": scope["fullconv.id"],
        "client": str(client[0]),
        "method": printable(scope["method"][:16]),
        "path": printable(scope["path"][:200]),
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
    }
    logger.info(
        "%(client)s %(method)s %(path)s %(status)d %(milliseconds).1f ms %(request)s",
        facts,
        extra={"facts": facts},
    )
