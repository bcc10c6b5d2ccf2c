"""Prometheus' metrics, with a bounded number of label values."""

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fullconv.io.images import encode_png
from fullconv.serving import Access
from serving_models import client, make_service

PHOTO = encode_png(np.zeros((10, 12, 3), np.uint8))


def samples(http):
    """Return the value of every sample, by name and label values."""
    response = http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_and_stages_are_counted(models):
    service = make_service(models, memory=2**28)
    http = client(service)
    http.post("/predict", content=PHOTO)
    http.post("/models/other/predict", content=PHOTO)
    http.post("/predict", content=b"no photo")
    http.get("/models")
    found = samples(http)
    assert found["fullconv_requests_total", "street", "/predict", "200"] == 1
    assert found["fullconv_requests_total", "street", "/predict", "422"] == 1
    assert found["fullconv_requests_total", "other", "/models/{name}/predict", "200"] == 1
    assert found["fullconv_requests_total", "", "/models", "200"] == 1
    for stage in ("queue", "body", "decode", "compute", "encode"):
        assert found["fullconv_stage_seconds_count", stage] >= 2
    assert found["fullconv_pixels_total",] == 2 * 120
    assert found["fullconv_memory_bytes",] == 2**28
    assert found["fullconv_planned_bytes",] == found["fullconv_running",] == 0
    assert found["fullconv_ready",] == found["fullconv_waiting",] == 0
    for served in models.values():
        labels = "torch", served.fingerprint, served.name, "fp32"  # sorted by their names
        assert found["fullconv_model_info", *labels] == 1


def test_strange_requests_make_no_new_labels(models):
    service = make_service(models)
    http = client(service)
    sizes = []
    for number in range(5):
        http.get(f"/nothing/{number}")
        http.post(f"/models/{number}/predict", content=PHOTO)
        http.request(f"STRANGE{number}", "/predict")
        found = samples(http)
        sizes.append(len(found))
    assert len(set(sizes[1:])) == 1  # the first time, /metrics itself had not been asked for
    assert found["fullconv_requests_total", "", "other", "404"] == 5


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "evil.example"}, "host"),
        ({"Origin": "https://evil.example"}, "origin"),
        ({"Content-Encoding": "gzip"}, "encoding"),
        ({"Content-Length": str(2**40)}, "size"),
        ({"Content-Type": "text/plain"}, "other"),
    ],
)
def test_refusals_have_reasons(models, headers, reason):
    http = client(make_service(models))
    http.post("/predict", content=PHOTO, headers=headers)
    assert samples(http)["fullconv_rejected_total", reason] == 1


def test_metrics_are_behind_the_key_unless_they_are_opened(models):
    key = "0123456789abcdef"
    assert client(make_service(models, Access(key=key))).get("/metrics").status_code == 401
    opened = client(make_service(models, Access(key=key, open_metrics=True)))
    assert opened.get("/metrics").status_code == 200
    assert opened.get("/models").status_code == 401
