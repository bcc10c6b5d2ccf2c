"""A real server: connections, clients that leave, overload and its end."""

import base64
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from fullconv.data.labels.label_config import format_label_config
from fullconv.errors import ConfigError, OutputError
from fullconv.io.images import encode_png
from fullconv.serving._json import json_bytes
from fullconv.serving._server import bind, bind_path, is_served, unlink_socket
from serving_models import SlowModel, make_service, running, wait_for

PHOTO = encode_png(np.zeros((20, 24, 3), np.uint8))

CHUNKED = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def slow(models):
    return SlowModel(models["street"].model)


def slow_service(models, slow, **limits):
    slow.release.set()  # for the warm-up
    return make_service({"street": replace(models["street"], model=slow)}, **limits)


def post(address, body=PHOTO):
    return (
        f"POST /predict HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def answer(connection):
    """Return everything that the server sends until it closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_predictions_over_a_socket(models):
    with running(make_service(models)) as server, server.client() as http:
        response = http.post("/predict", content=PHOTO)
        assert response.status_code == 200
        assert response.content.startswith(b"\x89PNG")
        chunks = http.post("/predict", content=iter([PHOTO[:40], PHOTO[40:]]))
        assert chunks.content == response.content


def test_a_client_that_leaves_gives_its_place_back(models, slow):
    with running(slow_service(models, slow, at_once=1)) as server:
        slow.release.clear()
        before = slow.started
        with connect(server) as running_one, connect(server) as waiting_one:
            running_one.sendall(post("127.0.0.1"))
            wait_for(lambda: slow.started == before + 1)
            waiting_one.sendall(post("127.0.0.1"))
            wait_for(lambda: server.service.in_progress == 2)
            waiting_one.close()
            wait_for(lambda: server.service.in_progress == 1)
            running_one.close()
            wait_for(lambda: server.service.in_progress == 0)
            wait_for(lambda: server.service.gate.computing == 0)
        assert slow.started == before + 1  # the one that waited never began
        with connect(server) as in_its_body:
            in_its_body.sendall(post("127.0.0.1")[:-10])
            wait_for(lambda: server.service.in_progress == 1)
            in_its_body.close()
            wait_for(lambda: server.service.in_progress == 0)
        slow.release.set()


def test_more_requests_than_places_are_refused_at_once(models, slow):
    with running(slow_service(models, slow, at_once=1, queue=2)) as server:
        slow.release.clear()

        def ask(number):
            with server.client() as http:
                return http.post("/predict", content=PHOTO)

        with ThreadPoolExecutor(9) as pool:
            asked = [pool.submit(ask, number) for number in range(3)]
            wait_for(lambda: server.service.in_progress == 3)
            for response in pool.map(ask, range(6)):
                assert response.status_code == 503
                assert 1 <= int(response.headers["retry-after"]) <= 60
                assert response.headers["content-type"] == "application/problem+json"
            slow.release.set()
            assert [task.result().status_code for task in asked] == [200] * 3


def test_the_end_waits_for_work_in_progress(models, slow):
    with running(slow_service(models, slow, at_once=1)) as server:
        slow.release.clear()
        with ThreadPoolExecutor(4) as pool, server.client() as http:
            asked = [pool.submit(_ask, server) for _ in range(4)]
            wait_for(lambda: server.service.in_progress == 4)
            server.signals.append(15)
            wait_for(lambda: server.service.draining)
            refused = http.post("/predict", content=PHOTO)
            assert refused.status_code == 503 and "about to end" in refused.json()["detail"]
            assert http.get("/readyz").status_code == 503
            assert server.thread.is_alive()
            slow.release.set()
            assert [task.result().status_code for task in asked] == [200] * 4
        server.thread.join(60)
        assert not server.thread.is_alive()


def _ask(server):
    with server.client() as http:
        return http.post("/predict", content=PHOTO)


@pytest.mark.parametrize("signals", [1, 2])
def test_the_end_comes_after_the_grace_or_a_second_signal(models, slow, signals):
    with running(slow_service(models, slow), grace=0.1 if signals == 1 else 60) as server:
        slow.release.clear()
        with connect(server) as connection:
            connection.sendall(post("127.0.0.1"))
            wait_for(lambda: server.service.in_progress == 1)
            server.signals.extend([15] * signals)
            server.thread.join(30)
            assert not server.thread.is_alive()
        wait_for(lambda: server.service.gate.computing == 0)  # it was asked to stop
        slow.release.set()


def test_connections_are_limited(models):
    with running(make_service(models, connections=2)) as server:
        with connect(server), connect(server):
            time.sleep(0.05)
            with connect(server) as third:
                assert answer(third).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        wait_for(lambda: _works(server))


def _works(server):
    try:
        with server.client() as http:
            return http.get("/livez").status_code == 200
    except Exception:
        return False


@pytest.mark.parametrize(
    "beginning", [b"", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "], ids=["none", "some"]
)
def test_slow_headers_end_a_connection(models, beginning):
    with running(make_service(models, header_seconds=0.2)) as server, connect(server) as one:
        one.sendall(beginning)
        start = time.monotonic()
        stop = threading.Event()

        def drip():
            while not stop.wait(0.05):
                try:
                    one.sendall(b"x" if beginning else b"")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert answer(one) == b""
        except ConnectionError:
            pass
        finally:
            stop.set()
            dripping.join()
        assert time.monotonic() - start < 30


def test_slow_bodies_end_a_request(models):
    with running(make_service(models, body_pause=0.1)) as server, connect(server) as one:
        one.sendall(post("127.0.0.1")[:-10])
        found = answer(one)
        assert found.startswith(b"HTTP/1.1 408 Request Timeout")
        assert b"the body is too slow" in found
        assert server.service.in_progress == 0


def test_the_rest_of_a_refused_body_is_bounded(models):
    limits = {"max_body": 1000, "header_seconds": 0.2}
    with running(make_service(models, **limits)) as server, connect(server) as one:
        one.sendall(CHUNKED)
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 30:
                one.sendall(b"100\r\n" + b"x" * 256 + b"\r\n")
                time.sleep(0.001)
        assert time.monotonic() - start < 30


def test_long_headers_are_refused(models):
    with running(make_service(models)) as server, connect(server) as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"x" * 20_000)
        found = answer(one)
        assert found.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"application/problem+json" in found


def test_ports_and_sockets(tmp_path):
    with bind("127.0.0.1", 0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(OutputError, match=f"cannot serve at 127.0.0.1 port {port}"):
            bind("127.0.0.1", port)
    with pytest.raises(OutputError, match="choose another --port or --host"):
        bind("192.0.2.1", 0)
    path = tmp_path / "socket"
    bind_path(path).close()
    bind_path(path).close()  # a socket of before is replaced
    assert path.stat().st_mode & 0o777 == 0o660
    path.unlink()
    path.write_text("a file")
    with pytest.raises(ConfigError, match="is a file; expected the path of a new socket"):
        bind_path(path)
    assert path.read_text() == "a file"


def test_the_socket_of_a_server_that_runs_stays_its_own(tmp_path):
    path = tmp_path / "socket"
    with bind_path(path) as bound:
        bound.listen()
        made = path.stat()
        with pytest.raises(OutputError, match="another server listens there; end it"):
            bind_path(path)
        assert is_served(path) and os.path.samestat(made, path.stat())
    with bind_path(path):  # it does not listen
        made = path.stat()
        with bind_path(path):
            unlink_socket(path, made)
            assert path.exists()
            unlink_socket(path, path.stat())
            assert not path.exists()


@pytest.mark.parametrize("host", ["a" * 70, "a..b"])
def test_a_host_that_is_no_name_is_refused_in_a_sentence(host):
    with pytest.raises(OutputError, match="it is not the name of a host"):
        bind(host, 0)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\r\nabcdeX",
        b"\r\n\r\n\r\n" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Header: x\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n",
    ],
)
def test_what_is_not_http_is_refused(models, request_):
    with running(make_service(models, header_seconds=1)) as server:
        with connect(server) as one:
            one.sendall(request_)
            status = answer(one).split(b" ", 2)
        assert status == [b""] or status[1] in (b"400", b"403", b"501"), status
        with server.client() as http:
            assert http.get("/livez").status_code == 200
        wait_for(lambda: server.service.in_progress == server.service.open_requests == 0)


def test_small_json_passes_label_studio_requests_with_large_photos(models, slow):
    service = slow_service(models, slow, memory=64 * 2**20, queue=8, seconds=60)
    model, limits = models["street"].model, service.limits
    config = format_label_config(model.classes, model.palette).decode()
    url = "data:image/png;base64," + base64.b64encode(PHOTO + bytes(500_000)).decode()
    large = json.dumps({"tasks": [{"id": 1, "data": {"image": url}}], "label_config": config})
    small = {"project": "1.1", "schema": config}
    assert json_bytes(large.encode()) > limits.large_memory  # so there is one at a time
    with running(service) as server, ThreadPoolExecutor(3) as pool:
        slow.release.clear()

        def ask():
            with server.client() as http:
                return http.post("/label-studio/predict", content=large).status_code

        waiting = [pool.submit(ask) for _ in range(3)]
        wait_for(lambda: service.in_progress == 3 and service.gate.computing == 1)
        try:
            with server.client() as http:
                for _ in range(4):
                    assert http.post("/label-studio/setup", json=small).status_code == 200
                assert service.gate.computing == 1 and service.planned_bytes <= limits.memory
        finally:
            slow.release.set()
        assert [one.result() for one in waiting] == [200] * 3
    assert service.planned_bytes == 0


@pytest.mark.slow
def test_a_hundred_requests_at_once(models):
    with running(make_service(models, at_once=2, queue=8)) as server:

        def ask(number):
            with server.client() as http:
                return http.post("/predict?format=confidence", content=PHOTO)

        expected = ask(0).content
        with ThreadPoolExecutor(60) as pool:
            responses = list(pool.map(ask, range(100)))
        statuses = {response.status_code for response in responses}
        assert statuses <= {200, 503} and 200 in statuses
        assert {r.content for r in responses if r.status_code == 200} == {expected}
        assert server.service.in_progress == 0 and server.service.gate.planned == 0
