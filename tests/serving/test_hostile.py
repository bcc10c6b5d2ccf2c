"""Bodies and names that mean harm get a refusal, and cost neither memory nor the server."""

import io
import logging
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from fullconv.errors import WeightsError
from fullconv.io.images import encode_png
from fullconv.model import Model
from fullconv.serving import Access, open_models
from fullconv.serving._models import ServedModel
from serving_models import client, make_service

PHOTO = encode_png(np.random.default_rng(1).integers(0, 256, (20, 24, 3), np.uint8))


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, data=b"", *extra, bits=8, colour=2):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *extra, chunk(b"IDAT", data)]
    return b"".join(parts) + chunk(b"IEND", b"")


def zeros(size):
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(2**20)) for _ in range(size // 2**20 + 1)]
    return b"".join([*pieces, packer.flush()])


def animated():
    frames = [Image.new("RGB", (8, 8), (index, 0, 0)) for index in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def other_format(name):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, name)
    return stream.getvalue()


BODIES = {
    "50,000 x 50,000": png(50_000, 50_000, zeros(2**20)),
    "2^31 x 2^31": png(2**31 - 1, 2**31 - 1),
    "no pixels": png(0, 0),
    "zeros for 15,000 x 15,000": png(15_000, 15_000, zeros(30 * 2**20), bits=1, colour=0),
    "zeros for less pixels": png(4, 4, zeros(2**24))[:-40],
    "text of 64 MiB": png(4, 4, b"", chunk(b"zTXt", b"a\0\0" + zeros(2**26))),
    "profile of 64 MiB": png(4, 4, b"", chunk(b"iCCP", b"a\0\0" + zeros(2**26))),
    "three frames": animated(),
    "GIF": other_format("GIF"),
    "EPS": other_format("EPS"),
    "PDF": other_format("PDF"),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "pickle": b"\x80\x04\x95\x00cposix\nsystem\n(S'true'\ntR.",
    "zip": b"PK\x03\x04" + bytes(100),
    "zeros": bytes(10_000),
    "TIFF without end": b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 65535) + bytes(200),
    "TIFF that points to itself": b"II*\0\x08\0\0\0\x01\0\x49\x87\x04\0\x01"
    + 2 * b"\0\0\0\x08"
    + bytes(7),
    "JPEG of 65,535 x 65,535": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(9),
    "JPEG markers only": b"\xff\xd8" + b"\xff\xe0\0\x02" * 5000,
    "a line break": b"\n",
}


@pytest.mark.filterwarnings("ignore")  # Pillow's, about damage that it reads over
@pytest.mark.parametrize("name", BODIES)
def test_hostile_photos_are_refused_before_they_take_memory(models, name):
    http = client(make_service(models, memory=2**28))
    tracemalloc.start()
    try:
        response = http.post("/predict", content=BODIES[name])
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()
    # Bytes after the last pixel are not read, so that is a photo.
    assert response.status_code == (200 if name == "zeros for less pixels" else 422)
    assert b"<script" not in response.content
    assert http.post("/predict", content=PHOTO).status_code == 200


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_damaged_photos_are_photos_or_refused(models, seed):
    http = client(make_service(models))
    draw = np.random.default_rng(seed)
    originals = [
        PHOTO,
        animated(),
        other_format("JPEG"),
        other_format("TIFF"),
        other_format("WEBP"),
    ]
    for original in originals:
        for _ in range(8):
            damaged = bytearray(original)
            for place in draw.integers(0, len(damaged), 4):
                damaged[place] = draw.integers(256)
            cut = damaged[: draw.integers(1, len(damaged) + 1)]
            response = http.post("/predict", content=bytes(cut))
            assert response.status_code in (200, 422), response.text


@pytest.fixture
def strange(models):
    """Return a model with class names that a page or a terminal would execute."""
    names = ["<img src=x onerror=alert(1)>", "=cmd|'/c calc'!A0", "\x1b[31m", '"}],"a":[{"']
    model = Model(models["street"].model.network, names)
    return {"street": ServedModel("street", model, "0" * 16)}


def test_class_names_are_data(strange):
    http = client(make_service(strange))
    for path in ("/predict?format=json", "/predict?format=areas", "/predict?format=geojson", "/hf"):
        response = http.post(path, content=PHOTO)
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] in (
            "application/json",
            "application/geo+json",
            "text/csv",
        )
        assert response.headers["x-content-type-options"] == "nosniff"
        if "json" in response.headers["content-type"]:
            response.json()
    areas = http.post("/predict?format=areas", content=PHOTO).text
    assert "'=cmd" in areas  # no formula
    listed = http.get("/models").json()[0]["classes"]
    assert listed == list(strange["street"].model.classes)
    assert all(ord(character) < 127 for character in str(dict(http.get("/models").headers)))


def test_names_of_files_are_data(http, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("../../evil.png", "/etc/passwd", "a\x1b[31m.png", "=1+1.png", "x" * 3000):
        response = http.post("/predict?format=areas", files={"file": (name, PHOTO)})
        assert response.status_code == 200
        row = response.text.splitlines()[1]
        assert row.isprintable() and len(row) < 500 and "/" not in row.partition(",")[0]
        assert not row.startswith("=")
    assert not list(tmp_path.iterdir())


def test_paths_lead_nowhere(http):
    for path in (
        "/models/..%2f..%2fetc%2fpasswd",
        "/models/%2e%2e/predict",
        "/..%2f..%2fetc/passwd",
        "/v2/models/../../etc/passwd",
        "/models/street%00",
        "/models/street/",
        "/predict/",
    ):
        response = http.get(path)
        assert response.status_code in (404, 405), path
        assert "root:" not in response.text


def test_logs_hold_no_photo_no_key_and_no_control_characters(models, caplog):
    key = "0123456789abcdef-secret"
    http = client(make_service(models, Access(key=key)))
    with caplog.at_level(logging.INFO, "fullconv.serving"):
        http.post("/predict?tta=0", content=PHOTO, headers={"Authorization": f"Bearer {key}"})
        http.get("/a%1b%5b31mb%0ac", headers={"Authorization": f"Bearer {key}x"})
    text = caplog.text
    assert len(caplog.records) == 2 and key not in text and "PNG" not in text
    for record in caplog.records:
        assert record.getMessage().isprintable()
        assert set(record.facts) == {
            "request",
            "client",
            "method",
            "path",
            "status",
            "milliseconds",
        }
    assert caplog.records[1].facts["path"] == "/a\\x1b[31mb\\nc"


@pytest.mark.parametrize("name", ["model.pth", "model.pkl", "model.safetensors"])
def test_models_are_data(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BODIES["pickle"])
    with pytest.raises(WeightsError):
        open_models([str(path)])


def test_no_url_is_fetched(http, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the server opened a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    for content in (b'{"image": "http://127.0.0.1/a.png"}', b'{"url": "http://127.0.0.1/a.png"}'):
        response = http.post(
            "/predict", content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 400
    assert http.post("/predict", content=b"http://127.0.0.1/a.png").status_code == 422
