"""A photo's memory follows from its header, the model and the output kinds."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fullconv.batch.job import PredictionJob
from fullconv.batch.manifest import FailureRecord
from fullconv.batch.photo_memory import plan_photo
from fullconv.batch.predict import predict_many
from fullconv.batch.writers import writers
from fullconv.errors import MemoryBudgetError
from fullconv.inference.prediction import Prediction
from fullconv.io.images import Header, decoding_bytes, peek_header, read_image
from fullconv.model import load
from photos import write_model

MIB = 2**20


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(write_model(tmp_path_factory.mktemp("model") / "model.safetensors"))


def header(height=600, width=800, mode="RGB", kind="PNG", orientation=1):
    return Header((height, width), (height, width), mode, kind, orientation, 1)


def planned(model, total, at_once, kinds=("labels",), scales=None, strict=True, size=(600, 800)):
    outputs = [writers[kind] for kind in kinds]
    return plan_photo(model, header(*size), outputs, scales, total, at_once, strict)


def test_fewer_at_a_time_where_a_share_is_too_small(model):
    image = 3 * 600 * 800
    for total, share in (
        (2**30, 2**28),
        (200 * MIB, 50 * MIB),
        (90 * MIB, 45 * MIB),
        (60 * MIB, 60 * MIB),
    ):
        found = planned(model, total, 4)
        assert found.limit == share - image and found.held + found.compute <= share


def test_what_does_not_fit_alone_is_refused_with_its_need(model):
    with pytest.raises(MemoryBudgetError, match=r"the memory given is 35.0 MiB: give it more"):
        planned(model, 35 * MIB, 2)
    with pytest.raises(MemoryBudgetError, match="to be read and its results to be written"):
        planned(model, 4 * MIB, 2)
    assert planned(model, 4 * MIB, 2, strict=False).limit is None


def test_outputs_and_averaging_count(model):
    plain = planned(model, 2**30, 1)
    for kinds in (("labels", "probabilities"), ("geojson",), ("labels", "confidence")):
        assert planned(model, 2**30, 1, kinds).held > plain.held
    averaged = planned(model, 2**30, 1, scales=(1.0,))
    assert averaged.held + averaged.compute > plain.held + plain.compute
    assert planned(model, 2**32, 1, size=(3000, 4000)).held > 10 * plain.held


def test_polygons_get_a_whole_share_of_given_memory(model):
    image = 3 * 600 * 800
    for total, at_once, share in ((2**30, 4, 2**28), (120 * MIB, 4, 60 * MIB)):
        found = planned(model, total, at_once, ("labels", "geojson"))
        assert (found.held, found.compute, found.limit) == (share, 0, share - image)
    assert planned(model, 2**30, 4, ("geojson",), strict=False).held < 2**28


@pytest.mark.parametrize("kind", ["geojson", "coco"])
def test_predictions_of_too_many_regions_are_refused_alone(tmp_path, monkeypatch, kind):
    path = write_model(tmp_path / "model.safetensors")
    noise = np.random.default_rng(0).integers(0, 2, (400, 400)).astype(np.uint8)
    for name, colour in (("calm", "black"), ("noisy", "white"), ("other", "black")):
        Image.new("RGB", (400, 400), colour).save(tmp_path / f"{name}.png")

    def predict(job, image, memory):
        labels = noise if image.any() else np.zeros_like(noise)
        return Prediction(image, None, load(path).classes, load(path).palette, labels)

    monkeypatch.setattr(PredictionJob, "predict", predict)
    out, memory = tmp_path / "out", {"geojson": "60MiB", "coco": "12MiB"}[kind]
    monkeypatch.setattr("fullconv.model.Model.plan_memory", lambda *given, **options: 2**20)
    found = predict_many(
        path, sorted(tmp_path.glob("*.png")), out, save=("labels", kind), memory=memory, threads=1
    )
    calm, noisy, other = found
    assert isinstance(noisy, FailureRecord) and not noisy.unexpected
    assert f"so many that their file ({writers[kind].summary}) takes about" in noisy.error
    assert "give it more, or choose other outputs" in noisy.error
    assert set(calm.files) == set(other.files) == {"labels", kind}
    assert sorted(file.stem for file in (out / "labels").iterdir()) == ["calm", "other"]


def test_decoding_counts_what_pillow_stores():
    pixels = 600 * 800
    assert decoding_bytes(header(mode="L")) - decoding_bytes(header(mode="RGB")) == -3 * pixels
    assert decoding_bytes(header(orientation=6)) - decoding_bytes(header()) == 4 * pixels
    assert decoding_bytes(header(kind="JPEG")) > decoding_bytes(header())


def test_peeking_decodes_nothing(tmp_path, monkeypatch):
    for suffix in ("png", "jpg", "webp", "bmp", "tif"):
        Image.new("RGB", (30, 20)).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(Image.Image, "load", lambda *given: pytest.fail("pixels are decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *given: pytest.fail("decoded"))
    for suffix in ("png", "jpg", "webp", "bmp", "tif"):
        assert peek_header(tmp_path / f"a.{suffix}").size == (20, 30)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"])
@pytest.mark.parametrize("orientation", [None, 6])
def test_photos_read_in_blocks_are_what_pillow_converts(tmp_path, monkeypatch, mode, orientation):
    monkeypatch.setattr("fullconv.io.images.photos.BLOCK_PIXELS", 100)
    values = np.random.default_rng(0).integers(0, 256, (23, 31, 4), np.uint8)
    picture = Image.fromarray(values).convert("RGB" if mode in ("CMYK", "P") else "RGBA")
    picture = picture.convert(mode)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    if mode == "CMYK" and orientation:
        pytest.skip("Pillow turns TIFFs by itself")
    picture.save(path, exif=exif)
    expected = picture.transpose(Image.Transpose.ROTATE_270) if orientation else picture
    assert (read_image(path) == np.array(expected.convert("RGB"))).all()


PROGRAM = """
import json, re, sys
from pathlib import Path
import fullconv as fc
path, photo, memory = sys.argv[1:]
model = fc.load(path)
status = lambda: Path("/proc/self/status").read_text()
used = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", status())[1]) * 1024
before = used()
kind = model.predict(photo, memory=memory).plan.kind
print(json.dumps([kind, used() - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("size", "kind"), [((48, 64), "whole"), ((960, 1280), "strips")])
def test_a_small_network_takes_at_most_96_mib(tmp_path, size, kind):
    path = write_model(tmp_path / "model.safetensors")
    Image.new("RGB", size[::-1]).save(tmp_path / "a.png")
    command = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "a.png"), "96MiB"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found, grown = json.loads(ran.stdout)
    assert found == kind and grown <= 96 * MIB
