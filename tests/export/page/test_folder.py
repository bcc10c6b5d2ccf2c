"""The page as a folder: the same page and proof, from a server of files."""

import json

import numpy as np
import pytest
import torch

import export_models
import fullconv as fc
from fullconv.cli import run
from fullconv.errors import ExportError, OutputError
from fullconv.export.page import folder as folders
from fullconv.io.images import encode_png, write_image
from shown_pages import choose, labels_of, noise

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(page, tmp_path_factory):
    """The folder of the page of a small model."""
    folder = tmp_path_factory.mktemp("folder") / "site"
    folder.mkdir()
    folders.write_folder(page, folder)
    return folder


@pytest.fixture
def shown(browser, exported):
    with folders.serve_folder(exported) as address:
        page = browser.open(address)
        page.wait_for_selector("html[data-check=passed]", state="attached")
        yield page
        page.close()


def test_it_predicts_as_the_command_and_asks_its_own_server_only(browser, exported, shown):
    choose(shown, **{"a.png": encode_png(noise(90, 130))})
    prediction = fc.load(exported / "model.onnx").predict(noise(90, 130))
    best = np.sort(prediction.probabilities, 0)
    clear = best[-1] - best[-2] > 1e-5
    found = labels_of(shown)
    assert (found == prediction.labels)[clear].all() and clear.mean() > 0.99
    assert "sends nothing" in shown.inner_text("#privacy")
    assert not browser.errors and not browser.requests


def test_its_scores_are_verified_in_the_browser(exported):
    found = folders.verify_folder(exported)
    assert found.difference < 2e-6 and found.label_changes == 0


def test_a_missing_file_is_named(browser, exported, tmp_path):
    broken = tmp_path / "site"
    broken.mkdir()
    for path in exported.iterdir():
        if path.name != "model.onnx":
            (broken / path.name).symlink_to(path)
    with folders.serve_folder(broken) as address:
        page = browser.open(address)
        page.wait_for_selector("#problems:not(:empty)")
        text = page.inner_text("#problems")
        assert text == "model.onnx of this page cannot be loaded (404)"
    with pytest.raises(FileNotFoundError):
        (broken / "model.onnx").stat()


def test_another_model_beside_the_page_is_found_by_the_self_check(exported, tmp_path, make_page):
    opposite = export_models.model(size=(60, 80))
    with torch.no_grad():
        for layer in opposite.network.score_layers():
            layer.weight.neg_()
            layer.bias.neg_()
    other = make_page(opposite, "other")
    mixed = tmp_path / "site"
    mixed.mkdir()
    folders.write_folder(other, mixed)
    (mixed / "index.html").write_bytes((exported / "index.html").read_bytes())
    with pytest.raises(ExportError, match=r"self-check failed in .*\(labels\)"):
        folders.verify_folder(mixed)


@pytest.mark.usefixtures("make_page")  # skips without ONNX Runtime Web
def test_the_command_writes_the_folder_and_replaces_its_own(tmp_path, capsys, monkeypatch):
    export_models.model(size=(60, 80)).save(tmp_path / "net.safetensors")
    write_image(tmp_path / "a.png", export_models.photos((50, 60))[0])
    monkeypatch.chdir(tmp_path)
    command = ["export", "net.safetensors", "site/", "--photos", "a.png", "--json", "out.json"]
    assert run(command) == 0
    out = capsys.readouterr().out
    assert "self-check passed" in out and "written site" in out and "http.server" in out
    assert json.loads((tmp_path / "out.json").read_text())["file"] == "site"
    assert {path.name for path in (tmp_path / "site").iterdir()} == folders.NAMES
    assert "Cross-Origin-Opener-Policy: same-origin" in (tmp_path / "site/_headers").read_text()
    assert run(["predict", "site/model.onnx", "a.png", "--out", "p", "--quiet"]) == 0
    before = (tmp_path / "site" / "index.html").read_bytes()
    assert run([*command[:2], "site", *command[3:]]) == 0  # a folder that exists
    assert (tmp_path / "site" / "index.html").read_bytes() == before
    (tmp_path / "site" / "notes.txt").write_text("mine")
    assert run(command) != 0
    assert "site holds notes.txt; expected a new folder" in capsys.readouterr().err
    assert (tmp_path / "site" / "notes.txt").read_text() == "mine"


def test_folders_of_others_are_never_replaced(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "model.onnx").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("full", "file", "link"):
        with pytest.raises(OutputError):
            folders.check_replaceable(tmp_path / name)
    for name in ("new", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        folders.check_replaceable(tmp_path / name)


@pytest.mark.parametrize("names", [["index.html"], ["index.html", "model.onnx", "_headers"]])
def test_a_page_of_others_is_not_taken_for_an_earlier_export(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=f"holds {min(names)} and no "):
        folders.check_replaceable(tmp_path)
    for name in folders.NAMES:
        (tmp_path / name).write_text("")
    folders.check_replaceable(tmp_path)


def test_files_that_come_during_an_export_stay(tmp_path, monkeypatch):
    def write(page, folder):
        for name in folders.NAMES:
            (folder / name).write_text("new")
        site.mkdir(exist_ok=True)
        (site / "notes.txt").write_text("mine")

    site = tmp_path / "site"
    monkeypatch.setattr(folders, "write_folder", write)
    monkeypatch.setattr(folders, "verify_folder", lambda folder: None)
    with (
        pytest.raises(OutputError, match=r"site holds notes.txt"),
        folders.exported_folder(site),
    ):
        pass
    assert [path.name for path in site.iterdir()] == ["notes.txt"]
