"""However many bodies wait, their bytes in memory are bounded, and each gets its response."""

import asyncio
import base64
import json
import tempfile
import tracemalloc

import numpy as np
import pytest

from fullconv.io.images import encode_png
from fullconv.serving._application import application
from serving_models import client, make_service, run_async

MIB = 2**20
UPLOADS, PADDING = 12, MIB  # of all bodies, 2 MiB fit
MEMORY = 16 * MIB
PHOTOS = [
    encode_png(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8))
    for seed in range(3)
]


def padded(photo):
    """Return a photo of many bytes, most of which follow the last pixel."""
    return photo + bytes(PADDING)


def form(photo):
    head = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + photo + b"\r\n--xx--\r\n"


KINDS = {
    "image/png": lambda photo: photo,
    "multipart/form-data; boundary=xx": form,
    "application/json": lambda photo: json.dumps(
        {"image": base64.b64encode(photo).decode()}
    ).encode(),
}


async def upload(app, kind, body, ready, go):
    """Send a body in chunks, the last one when `go` is set; return status and content."""
    chunks = [body[start : start + 2**16] for start in range(0, len(body), 2**16)]
    sent = []

    async def receive():
        if len(chunks) == 1:
            ready.release()
            await go.wait()
        if not chunks:
            await asyncio.sleep(600)
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", kind.encode())]
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b""}
    await app({**scope, "headers": headers}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("kind", KINDS, ids=["raw", "form", "json"])
def test_many_waiting_uploads_take_little_memory(models, kind, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    service = make_service(models, queue=UPLOADS, memory=MEMORY, seconds=300, body_pause=300)
    expected = [client(service).post("/predict", content=photo).content for photo in PHOTOS]
    bodies = [KINDS[kind](padded(photo)) for photo in PHOTOS]

    async def all_at_once():
        app, go, ready = application(service), asyncio.Event(), asyncio.Semaphore(0)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tasks = [
            asyncio.create_task(upload(app, kind, bodies[number % 3], ready, go))
            for number in range(UPLOADS)
        ]
        for _ in tasks:
            await ready.acquire()
        held = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        planned = service.bodies.planned
        go.set()
        return held, planned, await asyncio.gather(*tasks)

    held, planned, responses = run_async(all_at_once())
    assert planned <= service.limits.body_memory
    # The test itself holds the chunks that are not sent yet, which are fewer and fewer.
    assert held < service.limits.body_memory + UPLOADS * 2**18 < UPLOADS * PADDING / 2
    for number, (status, content) in enumerate(responses):
        assert (status, content) == (200, expected[number % 3]), content[:200]
    assert service.planned_bytes == 0 and not any(tmp_path.iterdir())
