"""An exported file is served without importing PyTorch, with the same bytes as with it."""

import os
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

import export_models
from fullconv.batch.predict import predict_many
from fullconv.batch.writers import writers
from fullconv.export.export import export
from fullconv.io.images import encode_png
from fullconv.model import load

# PyTorch cannot be imported in this process.
COMMAND = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is imported")

sys.meta_path.insert(0, Refuse())
from fullconv.__main__ import main
main()
"""
KINDS = ("labels", "overlay", "confidence", "probabilities8", "geojson", "coco")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an exported file, photos, and what the command's function writes for them."""
    folder = tmp_path_factory.mktemp("served")
    model = export_models.model("fcn8s-vgg11", size=(60, 60))
    export(model, folder / "net.onnx", export_models.photos())
    (folder / "photos").mkdir()
    for number, photo in enumerate(export_models.photos((33, 47), (60, 60), (90, 121), (1, 1))):
        (folder / "photos" / f"{number}.png").write_bytes(encode_png(photo))
    list(
        predict_many(folder / "net.onnx", folder / "photos", folder / "out", save=KINDS, threads=1)
    )
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """A server of the exported file, in a process without PyTorch."""
    command = [
        sys.executable,
        "-c",
        COMMAND,
        "serve",
        "net.onnx",
        "--engine",
        "onnx",
        "--port",
        "0",
    ]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    )
    with process:
        yield process.stdout.readline().decode().split(" at ")[1].strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def post(address, path, content):
    with urllib.request.urlopen(f"{address}{path}", content, timeout=60) as response:
        return response.read(), response.headers


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_those_of_the_command(folder, address, kind):
    for photo in sorted((folder / "photos").iterdir()):
        found, headers = post(address, f"/predict?format={kind}", photo.read_bytes())
        expected = folder / "out" / kind / f"{photo.stem}{writers[kind].suffix}"
        assert found == expected.read_bytes(), photo.name
        assert headers["Fullconv-Engine"] == "onnx"


def test_the_page_and_what_it_asks_for_need_no_pytorch_either(folder, address):
    photo = (folder / "photos" / "2.png").read_bytes()
    assert b"runner_up_mask" in post(address, "/predict?format=json", photo)[0]
    for path in ("/", "/models", "/v2/models/net", "/openapi.json"):
        with urllib.request.urlopen(address + path, timeout=60) as response:
            assert response.status == 200


def test_the_labels_are_those_of_the_network(folder):
    model, loaded = export_models.model("fcn8s-vgg11", size=(60, 60)), load(folder / "net.onnx")
    for photo in export_models.photos((90, 121), (200, 31)):
        expected, found = model.predict(photo), loaded.predict(photo)
        assert np.array_equal(found.labels, expected.labels)
        assert np.abs(found.score_array - expected.score_array).max() < 1e-5
        assert found.score.shape == (3, *photo.shape[:2])
