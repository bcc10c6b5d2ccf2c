"""A model that is new to the machine is served by PyTorch until its engines are measured."""

import operator
from dataclasses import replace

import numpy as np
import pytest

from fullconv.io.images import encode_png
from fullconv.model import load
from fullconv.serving import EngineOptions, open_models
from fullconv.serving._settle import settle_engines
from photos import write_model
from serving_models import client, make_service, running, wait_for

PHOTO = encode_png(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8))
AT_ONCE = EngineOptions(measure=False)


@pytest.fixture
def file(tmp_path):
    return str(write_model(tmp_path / "street.safetensors"))


def test_the_fastest_engine_follows_between_two_requests(doubles, file):
    service = make_service(open_models([file], engine=AT_ONCE))
    http, before = client(service), service.model()
    first = http.post("/predict", content=PHOTO)
    assert first.headers["Fullconv-Engine"] == "torch" and doubles.converted == 0
    settle_engines(service)
    known = {"If-None-Match": first.headers["ETag"]}
    after = http.post("/predict", content=PHOTO, headers=known)
    assert after.status_code == 200 and after.headers["Fullconv-Engine"] == "openvino"
    assert after.headers["Fullconv-Model"] == first.headers["Fullconv-Model"]
    assert after.content == first.content  # the stand-in computes the same scores
    # A request that began before keeps PyTorch, and what its headers say.
    assert before.engine == "torch" and before.model.network.engine is None
    weights = [[*one.model.network.parameters()] for one in (before, service.model())]
    assert all(map(operator.is_, *weights)), "they are in memory once"


def test_what_is_known_of_a_network_is_used_from_the_first_request_on(doubles, file):
    load(file).optimize()
    service = make_service(open_models([file], engine=AT_ONCE))
    assert service.model().engine == "openvino" and service.model().model.choice.settled


def test_an_engine_that_is_asked_for_is_settled_before_the_first_request(doubles, file):
    service = make_service(open_models([file], engine=replace(AT_ONCE, name="onnx")))
    assert service.model().engine == "onnx"
    settle_engines(service)
    assert doubles.opened == ["onnx"]


@pytest.mark.parametrize("changes", [{"seconds": {"torch": 1.0, "onnx": 2.0}}, {"changed": 1.0}])
def test_pytorch_stays_where_it_is_fastest_or_others_differ(doubles, file, changes):
    vars(doubles).update(changes)
    service = make_service(open_models([file], engine=AT_ONCE))
    before = service.model()
    settle_engines(service)
    assert service.model() is before and doubles.converted == 1 and not service.measuring


def test_a_model_that_was_replaced_meanwhile_stays(doubles, file, monkeypatch):
    service = make_service(open_models([file], engine=AT_ONCE))
    newer = open_models([file])["street"]
    monkeypatch.setattr(
        "fullconv.serving._settle.warm_up_model", lambda served: service.replace_model(newer)
    )
    settle_engines(service)
    assert service.model() is newer


def test_a_server_is_ready_before_its_engines_are_measured(doubles, file):
    with running(make_service(open_models([file], engine=AT_ONCE))) as server:
        wait_for(lambda: server.service.model().engine == "openvino")
