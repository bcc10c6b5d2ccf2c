"""Refuse requests by their headers: hosts, origins, keys and encodings that are not allowed."""

import hmac
from base64 import b64decode
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fullconv.errors import printable
from fullconv.serving._limits import Access
from fullconv.serving._problems import Problem

SAFE = ("GET", "HEAD", "OPTIONS")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Set in every response that does not set them itself."""

PASSWORD_PATHS = ("/label-studio/",)
"""Where the key may be sent as a password, since Label Studio sends no other."""

EXPOSED = (
    "ETag, Server-Timing, X-Request-Id, Fullconv-Model, Fullconv-Engine, Fullconv-Note, "
    "Retry-After, Inference-Header-Content-Length"
)
ALLOWED = (
    "Authorization, Content-Type, If-None-Match, X-Request-Id, Inference-Header-Content-Length"
)
"""Headers that pages of other origins may read, and send."""


class Protect:
    """Set the headers that protect browsers, in every response.

    Args:
        app: makes the responses.
        access: names the origins that may read them.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")
        allowed = origin if origin in self.access.origins else None

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message), allowed)
            await send(message)

        await self.app(scope, receive, send_protected)


class Guard:
    """Let requests through that are allowed.

    Args:
        app: gets what is let through.
        access: who may use the server.
        open_paths: that need no key.
    """

    def __init__(self, app: ASGIApp, access: Access, open_paths: Collection[str]) -> None:
        self.app, self.access, self.open_paths = app, access, frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, or raise the Problem that it is."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(scope["method"], headers)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            allowed = headers.get("origin") in self.access.origins
            await _preflight(allowed)(scope, receive, send)
            return
        self._check_key(scope, headers)
        _check_encoding(headers)
        await self.app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        """Refuse names that are not the server's: a page can point its own name here."""
        hosts = headers.getlist("host")
        host = host_name(hosts[0]) if len(hosts) == 1 else ""
        if host not in self.access.hosts:
            raise Problem(
                403,
                f"the host {printable(host[:100])!r} is not this server's; allow it with "
                "--allow-host",
                reason="host",
            )

    def _check_origin(self, method: str, headers: Headers) -> None:
        origins = headers.getlist("origin")
        if len(origins) == 1 and origins[0] in self.access.origins:
            return
        if origins and any(_netloc(origin) != headers["host"].lower() for origin in origins):
            raise Problem(
                403,
                f"a page of {printable(origins[0][:100])} may not use this server; allow it with "
                "--origin",
                reason="origin",
            )
        if method not in SAFE and headers.get("sec-fetch-site") == "cross-site":
            raise Problem(403, "a page of another site may not use this server", reason="origin")

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        key = self.access.key
        if key is None or scope["path"].removeprefix(scope.get("root_path", "")) in self.open_paths:
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        given = _given_key(headers.get("authorization", ""), path.startswith(PASSWORD_PATHS))
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise Problem(
                401,
                "this server needs its key; expected the header Authorization: Bearer KEY",
                reason="key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def host_name(text: str) -> str:
    """Return the name in a Host header, without port: "[::1]:8000" is "[::1]"."""
    name, colon, port = text.strip().lower().rpartition(":")
    has_port = colon and port.isdecimal() and not (name.startswith("[") and "]" not in name)
    return name if has_port else text.strip().lower()


def _given_key(authorization: str, password: bool) -> str:
    """Return the key of a request; "" without one.

    Args:
        authorization: the header.
        password: whether the key may be a password, with any user.
    """
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    if kind.lower() != "basic" or not password:
        return ""
    try:
        text = b64decode(given.strip(), validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""
    return text.partition(":")[2]


def _netloc(origin: str) -> str:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""


def _check_encoding(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            f"a body of encoding {printable(encoding[:40])!r}; send the photo itself, which is "
            "compressed already",
            reason="encoding",
        )


def _preflight(allowed: bool) -> Response:
    """Answer the question of a browser whether another origin may send a request."""
    granted: Mapping[str, str] = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": "600",
    }
    return Response(status_code=204, headers=granted if allowed else None)


def _protect(headers: MutableHeaders, origin: str | None) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = EXPOSED
        headers.add_vary_header("Origin")
