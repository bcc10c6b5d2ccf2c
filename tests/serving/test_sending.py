"""What a client has not read of its response counts, and does not stay for ever."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from fullconv.batch.memory_gate import MemoryGate
from fullconv.serving._requests import Requests
from fullconv.serving._sending import PIECE, send_message
from fullconv.serving._server import bind, serve
from serving_models import make_service, run_async, wait_for

BODY = bytes(range(256)) * (2**24 // 256)  # more than the sockets of a connection buffer
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5])
@pytest.mark.parametrize("more", [False, True])
def test_pieces_are_the_body(size, more):
    gate, sent, planned = MemoryGate(100), [], []

    async def send(message):
        sent.append(message)
        planned.append(gate.planned)

    message = {"type": "http.response.body", "body": BODY[:size], "more_body": more}
    run_async(send_message(message, send, gate))
    assert b"".join(one["body"] for one in sent) == BODY[:size]
    assert max(len(one["body"]) for one in sent) <= PIECE
    assert [one["more_body"] for one in sent] == [True] * (len(sent) - 1) + [more]
    assert planned == [size if size > PIECE else 0] * len(sent) and gate.planned == 0


def test_other_messages_are_sent_as_they_are():
    sent = []

    async def send(message):
        sent.append(message)

    run_async(send_message({"type": "http.response.start", "status": 200}, send, MemoryGate(1)))
    assert sent == [{"type": "http.response.start", "status": 200}]


@contextmanager
def serving(body_pause):
    """Run a server that responds with `BODY`; yield its service and a connection to it."""
    service = make_service({}, body_pause=body_pause)

    async def respond(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        length = str(len(BODY)).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    async def application(scope, receive, send):
        await (respond if scope["type"] == "lifespan" else Requests(respond, service))(
            scope, receive, send
        )

    bound, signals = bind("127.0.0.1", 0), []
    port, options = bound.getsockname()[1], {"grace": 10.0, "signals": signals}
    thread = threading.Thread(
        target=serve, args=(application, service, bound), kwargs=options, daemon=True
    )
    thread.start()
    try:
        wait_for(lambda: listens(port))
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            one.settimeout(60)
            one.connect(("127.0.0.1", port))
            one.sendall(GET)
            yield service, one
    finally:
        signals += [15, 15]
        thread.join(60)
    assert not thread.is_alive()


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def read_all(connection, pause=0.0):
    parts = []
    while part := connection.recv(2**20):
        parts.append(part)
        time.sleep(pause)
    return b"".join(parts)


def test_a_response_that_is_not_read_counts_and_ends():
    with serving(body_pause=0.5) as (service, one):
        wait_for(lambda: service.planned_bytes == len(BODY))
        wait_for(lambda: service.planned_bytes == 0 and not service.open_requests)
        try:
            found = read_all(one)
        except ConnectionError:  # what was on its way is lost, too
            found = b""
        assert len(found) < len(BODY)


def test_a_response_that_is_read_is_complete_however_long_it_takes():
    with serving(body_pause=5) as (service, one):
        wait_for(lambda: service.planned_bytes == len(BODY))
        time.sleep(0.2)
        found = read_all(one)
        assert found.partition(b"\r\n\r\n")[2] == BODY
        wait_for(lambda: service.planned_bytes == 0)
