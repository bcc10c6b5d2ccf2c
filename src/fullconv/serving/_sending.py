"""Send responses in pieces, and count what a client has not read yet."""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Send

from fullconv.batch.memory_gate import MemoryGate

PIECE = 64 * 2**10  # bytes, about what a connection buffers before it has to wait for its client


async def send_message(message: MutableMapping[str, Any], send: Send, gate: MemoryGate) -> None:
    """Send a message of a response; the bytes of its body count in the memory until they are sent.

    In one piece, all of a body would be in the connection's buffer at once, and not be counted.

    Args:
        message: of ASGI.
        send: waits while the connection's buffer is full.
        gate: of the server.
    """
    body = message.get("body", b"")
    if len(body) <= PIECE:
        await send(message)
        return
    more = message.get("more_body", False)
    view, starts = memoryview(body), range(0, len(body), PIECE)
    with gate.keep(len(body)):
        for start in starts:
            piece = bytes(view[start : start + PIECE])
            await send({**message, "body": piece, "more_body": more or start != starts[-1]})
