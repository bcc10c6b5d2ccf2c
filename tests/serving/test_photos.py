"""POST /predict returns the bytes that `fullconv predict` writes."""

import base64
import copy
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

from fullconv.batch.predict import predict_many
from fullconv.batch.writers import writers
from fullconv.engines import EngineChoice
from fullconv.inference.prediction import Prediction
from fullconv.inference.predictor import plan_prediction
from fullconv.io.images import decode_image, decode_mask
from fullconv.io.rasters import BandChoice
from fullconv.model import load
from georeferenced import random_bands, write
from serving_models import client, make_service

SIZES = [(1, 1), (1, 7), (5, 3), (17, 33), (31, 31), (32, 32), (33, 47), (64, 20), (50, 90)]


@pytest.fixture(scope="module")
def predicted(models, tmp_path_factory):
    """Return photos of odd sizes, and the folder that the command's function wrote for them."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(1)
    for number, size in enumerate(SIZES):
        Image.fromarray(draw.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{number}.png")
    turned = Image.fromarray(draw.integers(0, 256, (20, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif)
    out = tmp_path_factory.mktemp("out") / "predictions"
    before = torch.get_num_threads()
    model = load(_path(models["street"]))
    records = list(predict_many(model, folder, out, save=KINDS, threads=1))
    torch.set_num_threads(before)
    assert len(records) == len(SIZES) + 1
    return folder, out


KINDS = ("labels", "overlay", "confidence", "probabilities", "probabilities8", "geojson", "coco")


def _path(served):
    return _path.sources[served.name]


@pytest.fixture(scope="module", autouse=True)
def sources(tmp_path_factory, models):
    folder = tmp_path_factory.mktemp("copies")
    _path.sources = {}
    for name, served in models.items():
        _path.sources[name] = folder / f"{name}.safetensors"
        served.model.save(_path.sources[name])


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_of_the_command(http, predicted, kind):
    photos, out = predicted
    for photo in sorted(photos.iterdir()):
        response = http.post(f"/predict?format={kind}", content=photo.read_bytes())
        assert response.status_code == 200, response.text
        expected = (out / kind / f"{photo.stem}{writers[kind].suffix}").read_bytes()
        assert response.content == expected, photo.name


def test_areas_are_the_rows_of_the_commands_file(http, predicted):
    photos, out = predicted
    header, *rows = (out / "areas.csv").read_text().splitlines()
    for photo, row in zip(sorted(photos.iterdir()), sorted(rows), strict=True):
        files = {"file": (photo.name, photo.read_bytes())}
        lines = http.post("/predict?format=areas", files=files).text.splitlines()
        assert lines[0] == header
        assert lines[1].partition(",")[2] == row.partition(",")[2]
        assert lines[1].startswith(f"{photo.name},")


def test_json_holds_masks_and_areas(http, models, predicted):
    photo = predicted[0] / "6.png"
    values = http.post("/predict?format=json", content=photo.read_bytes()).json()
    assert values["image"] == {"width": 47, "height": 33}
    assert values["class_map"] == dict(zip("0123", models["street"].model.classes, strict=True))
    assert values["model"] == {"name": "street", "fingerprint": models["street"].fingerprint}
    labels = _mask(values["segmentation_mask"])
    runner_up = _mask(values["runner_up_mask"])
    found = models["street"].model.predict(decode_image(photo.read_bytes(), ""), scores=True)
    order = np.argsort(-found.probabilities, 0, kind="stable")
    assert np.array_equal(labels, order[0]) and np.array_equal(runner_up, order[1])
    confidence = Image.open(io.BytesIO(base64.b64decode(values["confidence_mask"])))
    assert np.array_equal(np.asarray(confidence), np.rint(found.probabilities.max(0) * 255))
    assert values["areas"] == found.areas


def _mask(text):
    return np.asarray(decode_mask(base64.b64decode(text), "mask"))


def test_three_kinds_of_bodies_give_the_same(http, predicted):
    content = (predicted[0] / "4.png").read_bytes()
    encoded = base64.b64encode(content).decode()
    responses = [
        http.post("/predict", content=content),
        http.post("/predict", content=content, headers={"Content-Type": "image/png"}),
        # What curl sends with --data-binary.
        http.post(
            "/predict",
            content=content,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
        http.post("/predict", files={"anything": ("a.png", content)}),
        http.post("/predict", json={"image": encoded}),
    ]
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert len({response.headers["etag"] for response in responses}) == 1


def test_a_body_on_the_disk_gives_the_same(http, predicted, monkeypatch):
    content = (predicted[0] / "4.png").read_bytes()
    expected = http.post("/predict", content=content)
    monkeypatch.setattr("fullconv.serving._body.IN_MEMORY", 10)
    found = http.post("/predict", content=content)
    assert found.content == expected.content
    assert found.headers["etag"] == expected.headers["etag"]
    broken = http.post("/predict", content=content[:-30])
    assert broken.status_code == 422
    assert broken.json()["detail"].startswith("photo: the file is damaged or cut short")


def test_each_model_has_a_path_and_the_first_is_the_default(http, models, predicted):
    content = (predicted[0] / "7.png").read_bytes()
    default = http.post("/predict", content=content)
    street = http.post("/models/street/predict", content=content)
    other = http.post("/models/other/predict", content=content)
    assert default.content == street.content != other.content
    assert street.headers["fullconv-model"] == f"street {models['street'].fingerprint}"
    assert other.headers["etag"] != street.headers["etag"]
    unknown = http.post("/models/strret/predict", content=content)
    assert unknown.status_code == 404
    assert unknown.json()["detail"] == (
        "unknown model 'strret'; expected other, street; did you mean street?"
    )


def test_the_list_of_models(http, models):
    found = http.get("/models").json()
    assert [entry["name"] for entry in found] == ["street", "other"]
    entry = http.get("/models/street").json()
    assert entry == found[0]
    assert entry["classes"] == list(models["street"].model.classes)
    assert entry["palette"] == [list(color) for color in models["street"].model.palette]
    assert {"labels", "overlay", "json", "areas"} <= set(entry["formats"])
    assert http.get("/models/nothing").status_code == 404


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "image/png"),
        ("text/html,image/jpeg;q=0.9", "image/jpeg"),
        ("application/geo+json", "application/geo+json"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
    ],
)
def test_accept_chooses_the_format(http, predicted, accept, kind):
    content = (predicted[0] / "1.png").read_bytes()
    response = http.post("/predict", content=content, headers={"Accept": accept})
    assert response.headers["content-type"] == kind


def test_what_is_not_understood_is_refused(http, predicted):
    content = (predicted[0] / "1.png").read_bytes()
    for query, sentence in {
        "fromat=labels": "unknown parameter 'fromat'; expected format and tta",
        "format=lables": "unknown format 'lables'; expected areas",
        "tta=yes": "tta=yes; expected 1 or 0",
        "format=labels&format=json": "a parameter is given twice",
    }.items():
        response = http.post(f"/predict?{query}", content=content)
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"].startswith(sentence)


def test_test_time_augmentation_is_the_models_own(http, models, predicted):
    content = (predicted[0] / "8.png").read_bytes()
    found = http.post("/predict?format=probabilities&tta=1", content=content)
    expected = models["street"].model.predict(decode_image(content, ""), tta=True).probabilities
    assert np.array_equal(np.load(io.BytesIO(found.content)), expected.astype(np.float16))
    assert (
        found.headers["etag"]
        != http.post("/predict?format=probabilities", content=content).headers["etag"]
    )


def test_what_a_client_has_already_is_not_computed(service, predicted):
    http = client(service)
    content = (predicted[0] / "3.png").read_bytes()
    first = http.post("/predict", content=content)
    etag = first.headers["etag"]
    for known in (etag, f'"other", W/{etag}'):
        again = http.post("/predict", content=content, headers={"If-None-Match": known})
        assert again.status_code == 304 and not again.content
        for name in ("etag", "vary", "cache-control", "fullconv-model", "fullconv-engine"):
            assert again.headers[name] == first.headers[name]
        assert "compute" not in again.headers.get("server-timing", "")
    changed = http.post("/predict?format=geojson", content=content, headers={"If-None-Match": etag})
    assert changed.status_code == 200


def test_timing_and_request_id(http, predicted):
    content = (predicted[0] / "3.png").read_bytes()
    response = http.post("/predict", content=content, headers={"X-Request-Id": "abc-1"})
    stages = [part.split(";")[0] for part in response.headers["server-timing"].split(", ")]
    assert stages == ["queue", "body", "decode", "compute", "encode"]
    assert response.headers["x-request-id"] == "abc-1"
    strange = http.post("/predict", content=content, headers={"X-Request-Id": "a b"})
    assert strange.headers["x-request-id"] != "a b"


def test_a_photo_in_strips_gives_the_same(models):
    photo = io.BytesIO()
    draw = np.random.default_rng(2).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(draw).resize((500, 400)).save(photo, "PNG")
    narrow = make_service(models, memory=52 * 2**20)
    assert predict_kind(models, narrow, (400, 500)) == "strips"
    found = client(narrow).post("/predict", content=photo.getvalue())
    whole = client(make_service(models)).post("/predict", content=photo.getvalue())
    assert found.status_code == 200, found.text
    assert found.content == whole.content


def predict_kind(models, service, size):
    network, memory = models["street"].model.network, service.limits.photo_memory
    return plan_prediction(network, size, memory=memory, held=3 * size[0] * size[1]).kind


def test_a_note_is_sent_as_a_header(http, predicted, monkeypatch):
    monkeypatch.setattr(Prediction, "note", "in tiles; 0.10 % differ \u2013 see docs")
    content = (predicted[0] / "1.png").read_bytes()
    response = http.post("/predict", content=content)
    assert unquote(response.headers["fullconv-note"]) == "in tiles; 0.10 % differ \u2013 see docs"


def test_load_changes_no_byte(models, predicted):
    photos = [path.read_bytes() for path in sorted(predicted[0].iterdir())]
    http = client(make_service(models, at_once=2, memory=46 * 2**20))
    alone = [http.post("/predict?format=confidence", content=photo).content for photo in photos]

    def ask(number):
        return http.post("/predict?format=confidence", content=photos[number % len(photos)])

    with ThreadPoolExecutor(8) as pool:
        for number, response in enumerate(pool.map(ask, range(24))):
            assert response.status_code == 200
            assert response.content == alone[number % len(photos)]


def test_georeferenced_photos_are_for_the_command(http, tmp_path):
    pytest.importorskip("rasterio")
    content = write(tmp_path / "a.tif", random_bands(3)).read_bytes()
    response = http.post("/predict", content=content)
    assert response.status_code == 422
    assert response.json()["detail"] == (
        "photo: a georeferenced TIFF; expected a photo: `fullconv predict` writes GeoTIFFs of such "
        "files"
    )


def test_photos_with_more_bits_are_scaled_as_in_training(models):
    street = models["street"]
    choice = BandChoice(value_range=(0, 4000), keep_8_bit=True)
    model = copy.copy(street.model)
    model.band_choice = choice
    http = client(make_service({"street": replace(street, model=model)}))
    photo = io.BytesIO()
    values = np.random.default_rng(5).integers(0, 4000, (20, 30)).astype(np.uint16)
    Image.fromarray(values).save(photo, "PNG")
    found = http.post("/predict?format=confidence", content=photo.getvalue())
    expected = model.predict(photo.getvalue(), scores=True)
    assert found.content == writers["confidence"].encode(expected)
    refused = client(make_service(models)).post("/predict", content=photo.getvalue())
    assert refused.status_code == 422 and "more than 8 bits" in refused.json()["detail"]


def test_a_plain_tiff_is_a_photo(http):
    photo = io.BytesIO()
    Image.new("RGB", (20, 30), (10, 200, 30)).save(photo, "TIFF")
    assert http.post("/predict", content=photo.getvalue()).status_code == 200


def test_problems_are_json_of_one_form(http):
    response = http.post("/predict", content=b"no picture")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.content) == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "photo: not a readable image; expected one of PNG, JPEG, WEBP, BMP, TIFF, AVIF: "
        "save it as PNG or JPEG, or remove it",
        "error": response.json()["detail"],
    }


def test_the_engine_is_named_and_part_of_the_etag(service, http, predicted):
    content = (predicted[0] / "7.png").read_bytes()
    first = http.post("/predict", content=content)
    assert first.headers["fullconv-engine"] == "torch"
    served = service.model()
    other = served.model.with_network(served.model.network)
    other.choice = EngineChoice(most_pixels=10**6)
    service.models = {**service.models, served.name: replace(served, model=other)}
    assert http.post("/predict", content=content).headers["etag"] != first.headers["etag"]
