"""HTTP/1.1 as uvicorn speaks it, with limits of connections and of the time that clients take."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fullconv.serving._limits import Limits
from fullconv.serving._problems import MEDIA_TYPE


def protocol_class(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol of a server with these limits."""
    return type("LimitedProtocol", (_LimitedProtocol,), {"own_limits": limits})


class _LimitedProtocol(H11Protocol):
    """Close connections that are too many, that send no complete request, or continue after it.

    Also those whose client does not read its response.
    """

    own_limits: Limits
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: Any) -> None:
        if len(self.connections) >= self.own_limits.connections:
            self._refused = True
            transport.write(_full(self.own_limits.connections))
            transport.close()
            return
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._cancel_unread()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
            self._watch()

    def pause_writing(self) -> None:
        """Give a client a limited time to read what the connection buffers of its response."""
        if not self._refused:
            super().pause_writing()
        if self._unread is None:
            pause = self.own_limits.body_pause
            self._unread = self.loop.call_later(pause, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_unread()
        if not self._refused:
            super().resume_writing()

    def _cancel_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # the rest of a refused body is discarded
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, as a problem."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_response(400, f"{msg.rstrip('.')}: not HTTP/1.1"))
        self.transport.close()

    def _watch(self) -> None:
        """Give a connection without a request being answered a limited time for its next one."""
        cycle: Any = self.cycle  # None before the first request
        busy = cycle is not None and not cycle.response_complete
        if busy:
            self._cancel()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.own_limits.header_seconds, self._end)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()


def _full(connections: int) -> bytes:
    return _response(
        503, f"{connections} connections are open, which is the limit; try again", "Retry-After: 1"
    )


def _response(status: int, detail: str, *headers: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
