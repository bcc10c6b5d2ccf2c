"""Requests get places and memory; those of clients that leave are given back."""

import asyncio
import copy
import gc
import threading
import time
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from fullconv.batch.photo_memory import plan_photo
from fullconv.batch.writers import writers
from fullconv.inference.stopping import StoppedError
from fullconv.io.images import Header
from fullconv.serving import Problem
from fullconv.serving._problems import ClientLeftError
from serving_models import client, make_service, run_async, wait_for


def request(left=None):
    """Return a request whose body has been read; the client leaves when the event is set."""

    async def receive():
        if left is None:
            await asyncio.sleep(60)
        while not left.is_set():
            await asyncio.sleep(0.005)
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def wait_until(stop):
    while not stop():
        threading.Event().wait(0.002)
    raise StoppedError


def test_places_are_limited_and_given_back(models):
    service = make_service(models, queue=1, at_once=1)
    with service.place(), service.place():
        assert service.in_progress == service.waiting == 2
        with pytest.raises(Problem, match="2 requests are in progress") as caught, service.place():
            pass
        assert caught.value.status == 503 and int(caught.value.headers["Retry-After"]) >= 1
    assert service.in_progress == 0
    with pytest.raises(ValueError), service.place():
        raise ValueError
    assert service.in_progress == 0


def test_a_server_that_ends_takes_no_new_work(models):
    service = make_service(models)
    service.draining = True
    http = client(service)
    response = http.post("/predict", content=b"x")
    assert response.status_code == 503 and response.headers["retry-after"] == "1"
    assert response.headers["connection"] == "close"
    assert http.get("/readyz").status_code == 503
    assert http.get("/livez").status_code == 200


def test_results_and_errors_of_work(models):
    service = make_service(models)
    assert run_async(service.run(request(), lambda stop: 5)) == 5
    with pytest.raises(ZeroDivisionError):
        run_async(service.run(request(), lambda stop: 1 // 0))


def test_work_of_a_client_that_left_is_stopped(models):
    service, left, ended = make_service(models), threading.Event(), threading.Event()

    def work(stop):
        left.set()
        try:
            wait_until(stop)
        finally:
            ended.set()

    with pytest.raises(ClientLeftError):
        run_async(service.run(request(left), work))
    assert ended.wait(5)


def test_work_that_takes_too_long_is_stopped(models):
    service, ended = make_service(models, seconds=0.02), threading.Event()

    def work(stop):
        try:
            wait_until(stop)
        finally:
            ended.set()

    with pytest.raises(Problem, match="no result within 0") as caught:
        run_async(service.run(request(), work))
    assert caught.value.status == 504 and ended.wait(5)


def test_the_time_of_work_may_have_begun_before(models):
    service = make_service(models, seconds=60)
    with pytest.raises(Problem, match="no result within 60 seconds"):
        run_async(service.run(request(), wait_until, time.monotonic() - 60))


def test_a_result_that_comes_too_late_is_closed(models):
    service, closed = make_service(models, seconds=0.02), threading.Event()

    def work(stop):
        while not stop():
            threading.Event().wait(0.002)
        return SimpleNamespace(close=closed.set)

    with pytest.raises(Problem, match="no result within 0"):
        run_async(service.run(request(), work))
    assert closed.wait(30)


def test_work_that_waits_is_dropped_when_its_client_leaves(models):
    service, left, free = make_service(models, at_once=1), threading.Event(), threading.Event()
    begun = []

    async def both():
        first = asyncio.create_task(service.run(request(), lambda stop: gated(stop, free.wait)))
        await asyncio.to_thread(wait_for, lambda: begun == [1])
        second = asyncio.create_task(service.run(request(left), lambda stop: gated(stop, int)))
        await asyncio.sleep(0.02)
        left.set()
        with pytest.raises(ClientLeftError):
            await second
        free.set()
        await first

    def gated(stop, wait):
        from fullconv.batch.memory_gate import InputMemory

        memory = InputMemory(1, 1, None)
        with service.gate.admit(memory, stop), service.gate.compute(memory, stop):
            begun.append(1)
            wait()

    run_async(both())
    assert begun == [1] and service.gate.computing == 0 and service.gate.planned == 0


def test_readiness_comes_with_the_warm_up(models):
    service = make_service(models)
    http = client(service)
    assert http.get("/readyz").status_code == http.get("/v2/health/ready").status_code == 503
    assert http.get("/livez").json() == http.get("/v2/health/live").json() == {"live": True}
    with client(service) as started:
        wait_for(lambda: service.ready)
        assert started.get("/readyz").json() == {"ready": True}


def test_a_model_that_fails_never_becomes_ready(models, caplog):
    class Broken:
        exported = None
        size = None
        engine = "torch"

        def predict(self, image):
            raise RuntimeError("no such op")

    service = make_service({"a": replace(models["street"], model=Broken())})
    with client(service):
        wait_for(lambda: "the warm-up failed" in caplog.text)
        assert not service.ready


def test_an_unexpected_error_is_logged_and_not_shown(models, caplog, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("secret")

    monkeypatch.setattr("fullconv.serving._service.plan_photo", fail)
    service = make_service(models)
    photo = _png()
    response = client(service).post("/predict", content=photo, headers={"X-Request-Id": "r-7"})
    assert response.status_code == 500 and "secret" not in response.text
    assert "under the request r-7" in response.json()["detail"]
    assert "KeyError: 'secret'" in caplog.text
    assert service.in_progress == service.open_requests == 0


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("not enough memory: you tried")])
def test_memory_that_runs_out_is_a_503(models, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("fullconv.serving._predict.predict_photo", fail)
    response = client(make_service(models)).post("/predict", content=_png())
    assert response.status_code == 503 and response.headers["retry-after"] == "5"


def test_too_little_memory_says_how_much(models):
    response = client(make_service(models, memory=2**20)).post("/predict", content=_png(400, 500))
    assert response.status_code == 422
    assert response.json()["detail"].endswith(
        "the memory given is 896.0 KiB: give it more (photos get seven eighths of --memory)"
    )


def test_plans_are_kept_by_size_and_output(models, monkeypatch):
    calls = []

    def plan(*given):
        calls.append(given)
        return plan_photo(*given)

    monkeypatch.setattr("fullconv.serving._service.plan_photo", plan)
    http = client(make_service(models))
    for query in ("", "", "?format=areas", "?format=areas", "?format=json", "?format=json"):
        assert http.post(f"/predict{query}", content=_png()).status_code == 200
    files = {"file": ("other.png", _png())}
    assert http.post("/predict?format=areas", files=files).status_code == 200
    assert len(calls) == 3
    http.post("/predict", content=_png(21))
    http.post("/models/other/predict", content=_png(21))
    http.post("/predict?tta=1", content=_png(21))
    assert len(calls) == 6


def test_a_model_that_was_replaced_is_not_kept_in_memory(models):
    former = replace(models["street"], model=copy.copy(models["street"].model))
    service, newer = make_service({"street": former}), replace(former, fingerprint="1" * 16)
    header, output = Header((20, 20), (20, 20), "RGB", "PNG", 1, 1), writers["labels"]
    before = service.plan(former, header, output)
    assert service.replace_model(newer, former) and not service.replace_model(former, former)
    assert service.model() is newer
    assert service.plan(former, header, output) == before  # for a request that began before
    kept = weakref.ref(former)
    del former
    gc.collect()
    assert kept() is None


def test_too_many_pixels_are_refused_by_the_header(models):
    http = client(make_service(models, max_pixels=99))
    assert http.post("/predict", content=_png(9, 11)).status_code == 200
    response = http.post("/predict", content=_png(10, 10))
    assert response.status_code == 422
    assert response.json()["detail"].startswith("photo: 10 x 10 pixels; expected at most 99")


def _png(height=20, width=20):
    import numpy as np

    from fullconv.io.images import encode_png

    return encode_png(np.zeros((height, width, 3), np.uint8))
