"""Ray's proxy passes whole responses of replicas on, and replaces its own by problems."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from fullconv.serving.executors._ray_proxy import HEALTH, Marked, WholeResponses, middlewares


def proxy(app):
    """Return a client of Ray's proxy with an application behind it."""
    return TestClient(WholeResponses(app), base_url="http://127.0.0.1")


async def application(scope, receive, send):
    body = await Request(scope, receive).body()
    headers = {"X-Request-Id": dict(scope["headers"])[b"x-request-id"].decode()}
    await PlainTextResponse(body, 201, headers)(scope, receive, send)


def test_responses_of_a_replica_are_passed_on():
    response = proxy(Marked(application)).post(
        "/predict", content=b"photo", headers={"X-Request-Id": "r1"}
    )
    assert (response.status_code, response.content) == (201, b"photo")
    assert response.headers["x-request-id"] == "r1"
    assert not any("replica" in name for name in response.headers)


def test_ids_are_plain():
    response = proxy(Marked(application)).post("/predict", headers={"X-Request-Id": "<b>"})
    assert response.headers["x-request-id"].isalnum()


async def nothing(scope, receive, send):
    """Send nothing, as Ray does if a replica is lost; uvicorn would send a 500."""


async def beginning(scope, receive, send):
    """Send the beginning of a replica's response, before it is lost."""
    marked = [(b"x-fullconv-replica", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": marked})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


def of_ray(status):
    return PlainTextResponse("of Ray", status)


@pytest.mark.parametrize(
    ("app", "status", "detail"),
    [
        (nothing, 503, "was lost; try again"),
        (beginning, 503, "was lost; try again"),
        (of_ray(500), 503, "was lost; try again"),
        (of_ray(503), 503, "all replicas are busy"),
        (of_ray(404), 503, "the server is about to end"),
        (of_ray(408), 504, "no result in time"),
    ],
)
def test_other_responses_are_problems(app, status, detail):
    response = proxy(app).post("/predict", headers={"X-Request-Id": "r1"})
    assert response.status_code == status and detail in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1" and response.headers["x-request-id"] == "r1"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_proxys_own_health_is_shown():
    assert proxy(of_ray(200)).get(HEALTH).text == "of Ray"


def test_ray_finds_them():
    assert [one.cls for one in middlewares()] == [WholeResponses]
