"""A better checkpoint of a run replaces its model between two requests."""

import logging
import shutil
import threading

import numpy as np
import pytest

from fullconv.errors import ConfigError
from fullconv.io.images import encode_png
from fullconv.model import Model, load
from fullconv.serving import Settings, open_models
from fullconv.serving._watch import Watcher
from photos import write_model
from serving_models import client, make_service, running, wait_for

PHOTO = encode_png(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8))


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_model(folder / "best.safetensors", 1)
    return folder


@pytest.fixture(scope="module")
def better(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("better") / "best.safetensors", 2)


def replace(folder, source):
    shutil.copy(source, folder / "new")
    (folder / "new").rename(folder / "best.safetensors")


def serve(folder, **settings):
    return make_service(open_models([str(folder)]), settings=Settings(**settings))


def look_twice(watcher):
    watcher.look()
    watcher.look()


def test_a_new_checkpoint_is_served_with_another_etag(run, better):
    service = serve(run)
    http, watcher = client(service), Watcher(service)
    before = http.post("/predict", content=PHOTO)
    look_twice(watcher)
    again = http.post("/predict", content=PHOTO)
    assert again.headers["ETag"] == before.headers["ETag"] and again.content == before.content
    replace(run, better)
    watcher.look()  # it may still be growing
    assert http.post("/predict", content=PHOTO).headers["ETag"] == before.headers["ETag"]
    watcher.look()
    known = {"If-None-Match": before.headers["ETag"]}
    after = http.post("/predict", content=PHOTO, headers=known)
    expected = client(make_service(open_models([str(better)]))).post("/predict", content=PHOTO)
    assert after.status_code == 200 and after.content == expected.content != before.content
    assert after.headers["Fullconv-Model"] != before.headers["Fullconv-Model"]
    fingerprint = http.get("/models/run").json()["fingerprint"]
    assert after.headers["Fullconv-Model"] == f"run {fingerprint}"
    assert f'fingerprint="{fingerprint}"' in http.get("/metrics").text
    assert http.get("/metrics").text.count("fullconv_model_info{") == 1


def test_a_first_best_checkpoint_replaces_the_last_one(tmp_path, better):
    folder = tmp_path / "run"
    folder.mkdir()
    write_model(folder / "last.safetensors", 1)
    service = serve(folder)
    watcher, before = Watcher(service), service.model().fingerprint
    replace(folder, better)
    look_twice(watcher)
    assert service.model().fingerprint != before


def damaged(folder, better):
    content = bytearray(better.read_bytes())
    content[-5] ^= 1
    (folder / "best.safetensors").write_bytes(content)


def cut(folder, better):
    (folder / "best.safetensors").write_bytes(better.read_bytes()[:1000])


def other_classes(folder, better):
    plain = load(better)
    Model(plain.network, ["a", "b", "c", "d"]).save(folder / "best.safetensors")


def gone(folder, better):
    (folder / "best.safetensors").unlink()


@pytest.mark.parametrize("case", [damaged, cut, other_classes])
def test_what_cannot_be_served_is_refused_once_and_the_model_stays(run, better, case, caplog):
    service = serve(run)
    http, watcher = client(service), Watcher(service)
    before = http.post("/predict", content=PHOTO)
    case(run, better)
    with caplog.at_level(logging.INFO, "fullconv.serving"):
        for _ in range(5):
            watcher.look()
    after = http.post("/predict", content=PHOTO)
    assert after.content == before.content and after.headers["ETag"] == before.headers["ETag"]
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len(said) == 1
    assert "best.safetensors" in said[0] or "other classes" in said[0]
    assert said[0].startswith("model run: ") and said[0].endswith("stays")
    replace(run, better)  # repaired
    look_twice(watcher)
    assert http.post("/predict", content=PHOTO).content != before.content


def test_a_file_that_is_missing_for_a_while_changes_nothing(run, better):
    service = serve(run)
    watcher, before = Watcher(service), service.model()
    gone(run, better)
    look_twice(watcher)
    assert service.model() is before
    replace(run, better)
    look_twice(watcher)
    assert service.model().fingerprint != before.fingerprint


def test_the_same_bytes_are_not_loaded_again(run):
    service = serve(run)
    watcher, before = Watcher(service), service.model()
    shutil.copy(run / "best.safetensors", run / "copy")
    replace(run, run / "copy")
    look_twice(watcher)
    assert service.model() is before


def test_each_request_sees_one_model_while_it_is_replaced(run, better, tmp_path):
    first = shutil.copy(run / "best.safetensors", tmp_path / "first")
    expected = {}
    for path in (first, better):
        folder = tmp_path / f"alone-{len(expected)}"
        folder.mkdir()
        shutil.copy(path, folder / "best.safetensors")
        reply = client(serve(folder)).post("/predict?format=json", content=PHOTO)
        expected[reply.json()["model"]["fingerprint"]] = reply.json()["segmentation_mask"]
    seen, stop = [], threading.Event()
    with running(serve(run, watch=0.02)) as server:

        def ask():
            with server.client() as http:
                while not stop.is_set():
                    reply = http.post("/predict?format=json", content=PHOTO)
                    seen.append((reply.status_code, reply.headers["Fullconv-Model"], reply.json()))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for path in (better, first, better):
            before = server.service.model().fingerprint
            replace(run, path)
            wait_for(lambda before=before: server.service.model().fingerprint != before)
        count = len(seen)
        wait_for(lambda: len(seen) > count + 6)
        stop.set()
        for thread in threads:
            thread.join()
    assert len({header for _, header, _ in seen}) == 2
    for status, header, found in seen:
        fingerprint = found["model"]["fingerprint"]
        assert status == 200 and header == f"run {fingerprint}"
        assert found["segmentation_mask"] == expected[fingerprint]


def test_files_are_not_watched(better):
    with pytest.raises(ConfigError, match="--watch needs a run folder"):
        Watcher(make_service(open_models([str(better)])))
