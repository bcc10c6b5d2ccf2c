"""Errors as RFC 9457 problem details, with the sentences of the command line."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

from fullconv.errors import FullconvError, OutputError, UnknownNameError, WeightsError, printable

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is refused.

    Attributes:
        status: of the response.
        detail: a sentence for the user.
        reason: one word for metrics, e.g. "queue".
        headers: of the response.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.reason = status, detail, reason
        self.headers = dict(headers or {})


class ClientLeftError(Exception):
    """The client closed the connection before its response."""


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a response with a problem's details."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": printable(detail),
        "error": printable(detail),  # for clients of the Open Inference Protocol
    }
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def as_problem(error: Exception) -> Problem | None:
    """Return the problem that an error is for a client; None if it is unexpected."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, WeightsError | OutputError):  # the server's, not the client's
        return Problem(500, str(error))
    if isinstance(error, UnknownNameError):
        return Problem(400, str(error))
    if isinstance(error, FullconvError):
        return Problem(422, str(error))
    if isinstance(error, MemoryError) or "not enough memory" in str(error):
        return Problem(
            503,
            "not enough memory; send a smaller photo, or try again later",
            reason="memory",
            headers={"Retry-After": "5"},
        )
    return None


def routing_problem(error: HTTPException, scope: Scope) -> Problem:
    """Return the problem of a path that does not exist, or not with this method."""
    method, path, headers = scope["method"], scope["path"][:200], error.headers or {}
    if error.status_code == 405:
        expected = headers.get("Allow", "another method")
        detail = f"{method[:16]} is not possible at {path}; expected {expected}"
    else:
        detail = f"there is nothing at {path}; see /openapi.json"
    return Problem(error.status_code, detail, headers=headers)
