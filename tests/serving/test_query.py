"""A parameter in the query of a URL has an effect, or is refused."""

import numpy as np
import pytest

from fullconv.io.images import encode_png
from serving_models import client, make_service

PHOTO = encode_png(np.zeros((10, 12, 3), np.uint8))
OTHERS = {
    "/hf": ("POST", "threshold"),
    "/hf/street": ("POST", "parameters"),
    "/v2": ("GET", "verbose"),
    "/v2/models/street": ("GET", "version"),
    "/v2/models/street/ready": ("GET", "verbose"),
    "/v2/models/street/infer": ("POST", "timeout"),
    "/label-studio/health": ("GET", "project"),
    "/label-studio/setup": ("POST", "project"),
    "/label-studio/versions": ("POST", "project"),
    "/label-studio/predict": ("POST", "model"),
    "/label-studio/webhook": ("POST", "key"),
    "/models": ("GET", "format"),
    "/metrics": ("GET", "name[]"),
    "/openapi.json": ("GET", "format"),
}


@pytest.mark.parametrize("path", OTHERS)
def test_parameters_without_an_effect_are_refused(http, path):
    method, name = OTHERS[path]
    response = http.request(method, f"{path}?{name}=1", content=PHOTO if method == "POST" else b"")
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith(f"unknown parameter '{name}'; expected none")


def test_heads_are_checked_as_gets(http):
    assert http.head("/models?format=json").status_code == 400
    assert http.head("/models").status_code == 200


def test_parameters_are_those_of_the_route(http):
    assert http.post("/predict?format=areas&tta=0", content=PHOTO).status_code == 200
    response = http.post("/models/street/predict?format=areas&model=street", content=PHOTO)
    assert response.json()["detail"] == "unknown parameter 'model'; expected format and tta"
    response = http.post("/predict?tta=0&tta=0", content=PHOTO)
    assert response.json()["detail"] == "a parameter is given twice; expected each once"


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/v2/health/live", "/v2/health/ready"])
def test_pages_and_probes_take_what_others_append(models, path):
    http = client(make_service(models))
    assert http.get(f"{path}?verbose").status_code in (200, 503)


def test_a_query_without_parameters_is_none(http):
    assert http.get("/models?").status_code == 200
