"""Bundled models are found by name, and downloaded by a pinned hash if not here."""

import hashlib
import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import export_models
import fullconv as fc
from fullconv.cli import run
from fullconv.errors import ConfigError, WeightsError
from fullconv.inference import shelf as module
from fullconv.inference.model_file import is_path, model_file
from fullconv.inference.shelf import ShelfModel, is_shelved, shelf, taken_note


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A shelf with one model, `street`, whose file is in no folder here; returns its content."""
    export_models.model().save(tmp_path / "made" / "tiny.safetensors")
    content = (tmp_path / "made" / "tiny.safetensors").read_bytes()
    folder = tmp_path / "installed" / "street"
    folder.mkdir(parents=True)
    described = {key: "x" for key in ("title", "data", "licence", "reproduce", "evaluated")}
    described |= {"file": "tiny.safetensors", "network": "fcn32s-vgg11", "bytes": len(content)}
    described["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(described))
    monkeypatch.setattr(module, "_FOLDERS", (folder.parent,))
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shelf.cache_clear()
    yield content
    shelf.cache_clear()


class _Release(BaseHTTPRequestHandler):
    def __init__(self, *args, content, asked):
        self.content, self.asked = content, asked
        super().__init__(*args)

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/street-tiny.safetensors" else 404)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def release(monkeypatch):
    """Serve a release whose file has some content; returns a function of it, and what was asked."""
    servers, asked = [], []

    def start(content):
        handler = partial(_Release, content=content, asked=asked)
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        monkeypatch.setattr(module, "RELEASE", f"http://127.0.0.1:{servers[-1].server_port}")
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_missing_file_is_downloaded_once(published, release, tmp_path):
    asked = release(published)
    assert fc.load("street").classes == export_models.CLASSES
    assert fc.load("street").classes == export_models.CLASSES
    assert asked == ["/street-tiny.safetensors"]
    assert model_file("street").read_bytes() == published
    assert model_file("street").is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: b"?" + c[1:]])
def test_another_file_is_refused_and_not_kept(published, release, tmp_path, change):
    release(change(published))
    with pytest.raises(WeightsError, match="is not the file that this version"):
        fc.load("street")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_without_a_release_one_sentence_says_where_the_file_is(published):
    with pytest.raises(WeightsError, match=r"no release yet.*copy models/street/tiny.safetensors"):
        fc.load("street")


def test_a_release_that_cannot_be_reached(published, release, monkeypatch):
    release(published)
    monkeypatch.setattr(module, "RELEASE", "http://127.0.0.1:1")
    with pytest.raises(WeightsError, match=r"cannot be reached.*put it at"):
        fc.load("street")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids downloads"):
        fc.load("street")


def test_a_file_or_folder_of_the_name_is_taken_and_it_is_said(published, tmp_path):
    assert is_shelved("street") and is_path("street")
    assert "comes with fullconv" in taken_note("street")
    (tmp_path / "here" / "street").mkdir()
    assert not is_shelved("street")
    assert taken_note("street").startswith("street: the folder of this name, not the model")
    with pytest.raises(WeightsError, match=r"no best.safetensors.*name of a model that comes with"):
        fc.load("street")
    assert taken_note("other") == "" and not is_path("other")


def test_an_unknown_name_lists_those_that_come_along(published):
    with pytest.raises(WeightsError, match="the models that come with fullconv: street"):
        fc.load("stret")


def test_the_command_says_which_model_is_taken_on_standard_error(published, release, capsys):
    release(published)
    assert run(["inspect", "street", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["parameters"] > 0
    assert "model  street: x (fcn32s-vgg11), which comes with fullconv" in err


def test_the_list_has_what_is_here_and_what_is_not(published, release, capsys):
    assert run(["models", "--json", "-"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["models"]
    assert listed["name"] == "street" and listed["path"] is None
    release(published)
    fc.load("street")
    assert run(["models"]) == 0
    assert str(model_file("street")) in capsys.readouterr().out


def test_a_description_with_another_key_is_refused():
    known = {key: "x" for key in ("title", "data", "licence", "reproduce", "evaluated", "file")}
    with pytest.raises(ConfigError, match="unknown setting 'md5'"):
        ShelfModel.checked(name="a", md5="0", **known)
    with pytest.raises(ConfigError, match=r"file is '\.\./x'"):
        ShelfModel.checked(**known | {"name": "a", "file": "../x"})
