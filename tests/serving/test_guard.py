"""Which requests are let through, and the headers that protect browsers."""

import pytest

from fullconv.serving import Access
from fullconv.serving._guard import HEADERS, host_name
from fullconv.serving._tensors import LENGTH
from serving_models import client, make_service

KEY = "a-key-of-24-characters!!"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8000"]
)
def test_names_of_this_machine_are_allowed(http, host):
    assert http.get("/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "", "[::1", "127.0.0.1:80:80"],
)
def test_other_names_are_refused(http, host):
    response = http.get("/models", headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["detail"].endswith("is not this server's; allow it with --allow-host")


def test_two_hosts_are_refused(http):
    headers = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert http.get("/models", headers=headers).status_code == 403


def test_host_names():
    assert host_name("[::1]:80") == host_name("[::1]") == "[::1]"
    assert host_name("a:80") == host_name("A") == "a"
    assert host_name("a:b") == "a:b" and host_name("a:") == "a:"


def test_pages_of_the_server_are_allowed(http):
    headers = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert http.post("/predict", content=b"x", headers=headers).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "file://127.0.0.1"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_others_are_refused(http, headers):
    assert http.post("/predict", content=b"x", headers=headers).status_code == 403


def test_one_other_origin_can_be_allowed(models):
    origin = "https://labels.example"
    http = client(make_service(models, Access(origins=frozenset({origin}))))
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked = http.options("/predict", headers=ask)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == origin
    for name in ("Authorization", LENGTH, "X-Request-Id"):
        assert name in asked.headers["access-control-allow-headers"]
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    response = http.post("/predict", content=b"x", headers=headers)
    assert response.status_code == 422
    assert response.headers["access-control-allow-origin"] == origin
    assert LENGTH in response.headers["access-control-expose-headers"]
    assert "Origin" in response.headers["vary"]
    others = http.options("/predict", headers=ask | {"Origin": "https://evil.example"})
    assert others.status_code == 403 and "access-control-allow-origin" not in others.headers
    plain = http.get("/models")
    assert "access-control-allow-origin" not in plain.headers


def test_no_response_allows_every_origin(http):
    for response in (http.get("/models"), http.post("/predict", content=b""), http.get("/x")):
        assert "*" not in response.headers.get("access-control-allow-origin", "")


def test_a_key_is_asked_for_except_by_probes(models):
    http = client(make_service(models, Access(key=KEY)))
    for path in ("/models", "/v2", "/metrics", "/nothing"):
        response = http.get(path)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == "Bearer"
        assert KEY not in response.text
    for path in ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert http.get(path).status_code in (200, 503)
    for wrong in ("", "Bearer", f"Bearer {KEY}x", f"Basic {KEY}", f"bearer {KEY[:-1]}", "Bearer ü"):
        headers = {"Authorization": wrong.encode()}
        assert http.get("/models", headers=headers).status_code == 401, wrong
    for right in (f"Bearer {KEY}", f"bearer  {KEY}"):
        assert http.get("/models", headers={"Authorization": right}).status_code == 200


def test_a_key_is_compared_in_constant_time(models, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "fullconv.serving._guard.hmac.compare_digest",
        lambda given, key: compared.append((given, key)) or False,
    )
    http = client(make_service(models, Access(key=KEY)))
    assert http.get("/models", headers={"Authorization": "Bearer abc"}).status_code == 401
    assert compared == [(b"abc", KEY.encode())]


def test_compressed_bodies_are_refused(http):
    response = http.post("/predict", content=b"x", headers={"Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert "encoding 'gzip'" in response.json()["detail"]


def test_every_response_protects_browsers(http):
    for response in (
        http.get("/models"),
        http.get("/nothing"),
        http.post("/predict", content=b"x"),
        http.get("/models", headers={"Host": "evil.example"}),
    ):
        for name, value in HEADERS.items():
            assert response.headers[name] == value


def test_messages_hold_no_control_characters(http):
    response = http.get("/models", headers={"Host": "a\x1b[31m\u202eb".encode()})
    assert "\x1b" not in response.text and "\\x1b" in response.json()["detail"]
