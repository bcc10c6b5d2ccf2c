"""The backend of Label Studio: pre-labels are the labels; nothing is fetched from elsewhere."""

import base64

import numpy as np
import pytest

from fullconv.data.labels.brush_rle import decode_brush
from fullconv.data.labels.label_config import format_label_config
from fullconv.errors import ConfigError
from fullconv.serving import Access, Settings
from fullconv.serving._label_studio import LabelStudio
from label_studio import ACCESS, PATH, PHOTO, PIXELS, REFRESH, tool
from serving_models import client, make_service


@pytest.fixture
def studio():
    with tool() as server:
        yield server


@pytest.fixture
def backend(models, studio):
    return connect(models, studio.url)


def connect(models, url, key=None, **limits):
    settings = Settings(label_studio=LabelStudio(url, key))
    service = make_service(models, settings=settings, **limits)
    service.ready = True
    return client(service)


def config(models):
    model = models["street"].model
    return format_label_config(model.classes, model.palette).decode()


def ask(models, *urls, **more):
    tasks = [{"id": number, "data": {"image": url}} for number, url in enumerate(urls, 1)]
    return {"tasks": tasks, "label_config": config(models), "project": "1.2", **more}


def predict(http, models, *urls, **more):
    return http.post("/label-studio/predict", json=ask(models, *urls, **more))


def painted(prediction, classes):
    """Return the labels of brush masks."""
    labels = np.zeros(PIXELS.shape[:2], int)
    for region in prediction["result"]:
        size = (region["original_height"], region["original_width"])
        (name,) = region["value"]["brushlabels"]
        labels[decode_brush(bytes(region["value"]["rle"]), size)] = classes.index(name)
    return labels


def test_pre_labels_are_the_labels(backend, models, studio):
    found = predict(backend, models, PATH, "/data/local-files/?d=new/a.png", studio.url + PATH)
    assert found.status_code == 200
    served = models["street"]
    expected = served.model.predict(PIXELS, scores=True)
    for one in found.json()["results"]:
        assert np.array_equal(painted(one, served.model.classes), expected.labels)
        assert one["model_version"] == served.fingerprint
        assert one["score"] == pytest.approx(expected.probabilities.max(0).mean(), abs=1e-5)
    assert studio.seen[1] == "/data/local-files/?d=new/a.png"


def test_health_setup_and_versions(backend, models):
    fingerprint = models["street"].fingerprint
    assert backend.get("/label-studio/health").json()["status"] == "UP"
    sent = {"project": "1.2", "schema": config(models), "hostname": "http://x", "access_token": "t"}
    response = backend.post("/label-studio/setup", json=sent)
    assert response.json() == {"model_version": fingerprint}
    assert backend.post("/label-studio/setup", json={}).json() == {"model_version": fingerprint}
    assert backend.get("/label-studio/versions").json() == {"versions": [fingerprint]}
    assert backend.post("/label-studio/webhook", json={"action": "ANNOTATION_CREATED"}).json() == {
        "action": "ANNOTATION_CREATED",
        "accepted": False,
    }


def test_a_server_that_is_not_ready_is_not_up(models):
    http = client(make_service(models))
    assert http.get("/label-studio/health").status_code == 503


def test_a_project_with_polygons_gets_polygons(backend, models):
    text = config(models).replace("BrushLabels", "PolygonLabels")
    found = predict(backend, models, PATH, label_config=text).json()["results"][0]
    kinds = {region["type"] for region in found["result"]}
    assert kinds == {"polygonlabels"}
    assert all(0 <= x <= 100 for r in found["result"] for p in r["value"]["points"] for x in p)


def test_photos_inside_the_task_need_no_fetching(models):
    service = make_service(models)
    url = "data:image/png;base64," + base64.b64encode(PHOTO).decode()
    response = predict(client(service), models, url)
    served = models["street"].model
    assert np.array_equal(
        painted(response.json()["results"][0], served.classes), served.predict(PIXELS).labels
    )
    refused = predict(client(service), models, PATH)
    assert refused.status_code == 422 and "start it with --label-studio URL" in refused.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/data/a.png",
        "https://127.0.0.1/data/a.png",
        "http://169.254.169.254/data/a.png",
        "//127.0.0.1/data/a.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/data/a.png",
        "s3://bucket/a.png",
        "/etc/passwd",
        "/api/projects",
        "/data/../api/projects",
        "/data/%2e%2e/api/projects",
        "data/upload/a.png",
        "\\\\host\\data\\a.png",
        "http://[/data/a.png",
        "data:text/html,<b>",
        "data:image/png;base64,%%%",
    ],
)
def test_nothing_else_is_fetched(backend, models, studio, url):
    response = predict(backend, models, url)
    assert response.status_code in (400, 422), response.text
    assert not studio.seen
    assert response.json()["detail"]


def test_the_same_host_with_a_user_or_another_port_is_elsewhere(backend, models, studio):
    port = studio.server_address[1]
    for url in (f"http://user@127.0.0.1:{port}{PATH}", f"http://localhost:{port}{PATH}"):
        assert "nothing else is fetched" in predict(backend, models, url).json()["detail"]
    assert not studio.seen


def test_redirects_are_not_followed(backend, models, studio):
    response = predict(backend, models, "/data/redirect.png")
    assert response.status_code == 502 and "redirected the request (302)" in response.text
    assert studio.seen == ["/data/redirect.png"]


def test_long_photos_other_files_and_missing_ones(models, studio):
    http = connect(models, studio.url, max_body=4000)
    response = predict(http, models, "/data/long.png")
    assert response.status_code == 422 and "the limit of this server" in response.json()["detail"]
    assert predict(http, models, "/data/text.png").status_code == 422
    assert "the status 404" in predict(http, models, "/data/nothing.png").json()["detail"]
    gone = connect(models, "http://127.0.0.1:9")
    assert "cannot be reached" in predict(gone, models, PATH).json()["detail"]


def test_keys_are_sent_to_label_studio(models):
    with tool("Token secret") as server:
        assert predict(connect(models, server.url, "secret"), models, PATH).status_code == 200
        refused = predict(connect(models, server.url), models, PATH)
        assert "LABEL_STUDIO_API_KEY" in refused.json()["detail"]
    with tool(f"Bearer {ACCESS}") as server:
        assert predict(connect(models, server.url, REFRESH), models, PATH).status_code == 200
        wrong = predict(connect(models, server.url, "aa.bb.dd"), models, PATH)
        assert wrong.status_code == 502 and "access token" in wrong.json()["detail"]
    assert "secret" not in repr(LabelStudio("http://a", "secret"))


def test_one_bad_photo_does_not_hide_the_others(backend, models):
    found = predict(backend, models, "/data/nothing.png", PATH).json()["results"]
    assert "result" not in found[0] and "404" in found[0]["error"] and found[1]["result"]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"label_config": None}, 400, "label_config"),
        ({"label_config": "<View/>"}, 422, "neither <BrushLabels>"),
        ({"label_config": "<View"}, 422, "broken XML"),
        ({"label_config": '<!DOCTYPE a [<!ENTITY b "c">]><View/>'}, 422, "entities"),
        ({"label_config": f"<View>{' ' * 2**16}</View>"}, 422, "more than 64"),
        (
            {
                "label_config": '<View><Image name="i" value="$x"/><BrushLabels name="l" '
                'toName="i"><Label value="cat"/></BrushLabels></View>'
            },
            422,
            "is not a label of <BrushLabels",
        ),
        ({"tasks": []}, 400, "tasks"),
        ({"tasks": "a"}, 400, "tasks"),
        ({"tasks": [{}] * 1001}, 400, "1 to 1000"),
        ({"tasks": [{"data": {"text": "a"}}]}, 400, "data"),
        ({"tasks": [7]}, 400, "data"),
    ],
)
def test_wrong_requests(backend, models, change, status, message):
    response = backend.post("/label-studio/predict", json={**ask(models, PATH), **change})
    assert response.status_code == status and message in response.json()["detail"]


def test_the_address_is_checked():
    for url in (
        "127.0.0.1:8080",
        "file:///etc",
        "http://",
        "http://a:b",
        "http://u:p@a",
        "http://a?b",
    ):
        with pytest.raises(ConfigError, match="--label-studio"):
            LabelStudio(url)
    assert LabelStudio("https://a/labels/").path_of("/data/b.png") == "/labels/data/b.png"
    assert (
        LabelStudio("https://a/labels").path_of("https://a/labels/data/b.png")
        == "/labels/data/b.png"
    )


def test_the_key_may_be_a_password(models):
    """Label Studio sends a user and a password to backends, no bearer token."""
    key = "0123456789abcdef"
    service = make_service(models, access=Access(key))
    service.ready = True
    http = client(service)
    assert http.get("/label-studio/health").status_code == 401
    assert http.get("/label-studio/health", auth=("any", key)).status_code == 200
    assert http.get("/label-studio/health", auth=("any", "wrong")).status_code == 401
    assert http.get("/models", auth=("any", key)).status_code == 401, "only for Label Studio"


@pytest.mark.parametrize("key", ["a b", "a\nb", "t\u201cken", ""])
def test_a_token_that_no_header_can_hold_is_refused_at_the_start(key):
    with pytest.raises(ConfigError, match="copy it again"):
        LabelStudio("http://127.0.0.1:8080", key)
