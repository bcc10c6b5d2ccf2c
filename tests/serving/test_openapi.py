"""openapi.json describes every route, and what routes return."""

import json

import jsonschema
import numpy as np
import pytest

from fullconv.io.images import encode_png
from fullconv.serving import Access, Settings
from fullconv.serving._members import members
from serving_models import client, make_service

PHOTO = encode_png(np.zeros((10, 12, 3), np.uint8))
OWN = (
    "corrections",
    "health",
    "huggingface",
    "inference_protocol",
    "metrics",
    "openapi",
    "page",
    "photos",
)


@pytest.fixture(scope="module")
def document(models):
    return client(make_service(models)).get("/openapi.json").json()


def test_every_route_is_described(models, tmp_path):
    service = make_service(models, settings=Settings(corrections=tmp_path / "corrected"))
    document = client(service).get("/openapi.json").json()
    for name in OWN:
        for route in members[name].routes(service):
            methods = {method.lower() for method in route.methods - {"HEAD"}}
            assert set(document["paths"][route.path]) == methods, route.path


def test_references_and_parameters_are_defined(document):
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
    for path, entry in document["paths"].items():
        for operation in entry.values():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert given == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def _check(document, path, method, response):
    described = document["paths"][path][method]["responses"][str(response.status_code)]
    kind = response.headers["content-type"].partition(";")[0]
    content = {name.partition(";")[0]: value for name, value in described["content"].items()}
    if kind.endswith("json"):
        schema = content[kind]["schema"] | {"components": document["components"]}
        jsonschema.validate(response.json(), schema)
    else:
        assert kind in content


def test_responses_are_as_described(models, document):
    http = client(make_service(models))
    for path in ("/", "/models", "/livez", "/readyz", "/v2", "/metrics", "/openapi.json"):
        _check(document, path, "get", http.get(path))
    _check(document, "/models/{name}", "get", http.get("/models/street"))
    _check(document, "/v2/models/{name}", "get", http.get("/v2/models/street"))
    _check(document, "/hf", "post", http.post("/hf", content=PHOTO))
    for kind in ("labels", "overlay", "json", "areas", "coco", "geojson", "probabilities8"):
        response = http.post(f"/predict?format={kind}", content=PHOTO)
        _check(document, "/predict", "post", response)
    for content in (b"", b"no photo"):
        _check(document, "/predict", "post", http.post("/predict", content=content))
    _check(document, "/models/{name}", "get", http.get("/models/x"))


def test_a_key_is_described(models):
    access = Access(key="0123456789abcdef")
    headers = {"Authorization": "Bearer 0123456789abcdef"}
    found = client(make_service(models, access)).get("/openapi.json", headers=headers).json()
    assert found["security"] == [{"key": []}]
