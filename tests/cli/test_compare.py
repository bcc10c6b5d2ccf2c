"""`fullconv compare` accepts models, predictions and stored results, and refuses to mix them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import fullconv as fc
from browser import check_page
from fullconv.cli import run
from fullconv.data.synthetic import CLASSES
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.image_counts import ImageCounts
from fullconv.evaluation.image_table import ImageTable
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.result_files import write_results
from html_page import Page

DATA = "scenes:20@24x32"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        network = fc.create_model("fcn32s-vgg11", len(CLASSES), width=1 / 64, hidden=4)
        for layer in network.score_layers():
            torch.nn.init.normal_(layer.weight)
        fc.Model(network, CLASSES).save(folder / f"{name}.safetensors")
    return [str(folder / f"{name}.safetensors") for name in ("a", "b")]


def test_models_stored_results_and_predictions_agree(models, tmp_path, capsys):
    data, out = ["--split", "all"], ["--out", str(tmp_path)]
    comparison = ["compare", *models, "--data", DATA, *data, *out, "--json", "-"]
    assert run(comparison) == 0
    (direct,) = json.loads(capsys.readouterr().out)
    assert direct["unit"] == "5 blocks of about 4 consecutive frames"
    assert direct["verdict"].startswith("too few to tell")
    for model in models:
        assert run(["evaluate", model, DATA, *data, *out, "--quiet"]) == 0
    folders = [str(tmp_path / "evaluate" / f"{name}-001") for name in ("a", "b")]
    capsys.readouterr()
    assert run(["compare", folders[0], f"{folders[1]}/metrics.json", *out, "--json", "-"]) == 0
    (stored,) = json.loads(capsys.readouterr().out)
    names = ("first", "second", "verdict")
    assert {k: v for k, v in stored.items() if k not in names} == {
        k: v for k, v in direct.items() if k not in names
    }
    model = fc.load(models[1])
    for sample in fc.open_data(DATA):
        (tmp_path / "files").mkdir(exist_ok=True)
        model.predict(sample.image).save(tmp_path / "files" / f"{sample.name}.png")
    files = [folders[0], str(tmp_path / "files"), "--data", DATA, *data]
    assert run(["compare", *files, *out, "--json", "-"]) == 0
    (by_files,) = json.loads(capsys.readouterr().out)
    assert by_files["difference"] == direct["difference"]


def test_an_exported_file_is_compared_with_its_model(models, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    exported = str(tmp_path / "a.onnx")
    assert run(["export", models[0], exported]) == 0
    options = ["--data", DATA, "--split", "all", "--out", str(tmp_path)]
    capsys.readouterr()
    assert run(["compare", models[0], exported, *options, "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert abs(found["difference"]["difference"]) < 0.01


def test_mixed_protocols_are_refused_with_the_line_that_differs(models, tmp_path, capsys):
    out = ["--out", str(tmp_path)]
    assert run(["evaluate", models[0], "scenes:5@24x32", *out, "--quiet"]) == 0
    assert run(["evaluate", models[0], "scenes:5@24x32", *out, "--quiet", "--tta"]) == 0
    folders = [str(tmp_path / "evaluate" / f"a-00{number}") for number in (1, 2)]
    capsys.readouterr()
    assert run(["compare", *folders, *out]) == 2
    assert "'averaged over scales 1, 1.5 and flips'" in capsys.readouterr().err
    assert run(["compare", *folders, *out, "--anyway"]) == 0
    assert "warning: only" in capsys.readouterr().out
    metrics = tmp_path / "evaluate" / "a-002" / "metrics.json"
    stored = json.loads((tmp_path / "evaluate" / "a-001" / "metrics.json").read_text())
    metrics.write_text(json.dumps(stored | {"labels_digest": "0" * 16}))
    assert run(["compare", *folders, *out]) == 2
    assert "the labels differ" in capsys.readouterr().err


def test_two_sources_and_a_data_set_are_needed(models, tmp_path, capsys):
    assert run(["compare", models[0], "--data", DATA]) == 2
    assert "expected two or more" in capsys.readouterr().err
    assert run(["compare", *models]) == 2
    assert "no data set is given" in capsys.readouterr().err


def test_a_data_set_among_the_sources_is_told_apart_from_predictions(models, tmp_path, capsys):
    for name in ("images", "masks"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    photos = str(tmp_path / "photos")
    assert run(["compare", *models, photos]) == 2
    assert f"{photos} is a data set; expected it as --data {photos}" in capsys.readouterr().err


def test_pictures_show_where_each_is_better(models, tmp_path, capsys):
    out = ["--out", str(tmp_path), "--split", "all", "--groups", r"\d$"]
    assert run(["compare", *models, models[0], "--data", DATA, *out]) == 0
    folder = (tmp_path / "compare" / "latest").resolve()
    assert f"report  {folder / 'report.html'}" in capsys.readouterr().out
    page, same = (folder / name for name in ("report.html", "report-2.html"))
    (found, none) = json.loads((folder / "comparison.json").read_text())
    parsed = Page(page)
    shown = [name for side in ("second", "first") for name in found[f"{side}_better_in"]]
    titles = [tag["alt"] for tag in parsed.all("img")]
    panels = ("photo", "ground truth", "A", "B")
    assert titles == [f"{name}: {panel}" for name in shown for panel in panels]
    assert not parsed.open and found["verdict"] in parsed.text
    assert none["images_won"] == none["images_lost"] == 0 and not Page(same).all("img")


def test_stored_results_have_a_report_without_pictures(models, tmp_path, capsys):
    for model in models:
        assert run(["evaluate", model, "scenes:5@24x32", "--out", str(tmp_path), "--quiet"]) == 0
    stored = [str(tmp_path / "evaluate" / f"{name}-001") for name in ("a", "b")]
    assert run(["compare", *stored, "--out", str(tmp_path), "--quiet"]) == 0
    page = Page((tmp_path / "compare" / "latest" / "report.html").resolve())
    assert "There are no pictures" in page.text and not page.all("img")


@pytest.mark.slow
def test_the_report_reads_well_and_is_sorted_in_a_browser(models, tmp_path, browser):
    assert run(["compare", *models, "--data", DATA, "--split", "all", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "compare" / "latest" / "report.html").resolve()
    check_page(browser, page)
    opened = browser.open(page)
    opened.get_by_role("button", name="B - A").click()
    values = opened.locator("#images tbody td:nth-of-type(1)").all_inner_texts()
    assert [*map(float, values)] == sorted(map(float, values)) and len(values) == 20
    opened.get_by_label("Filter").fill("19")
    assert opened.locator("output").inner_text() == "1 of 20 images"
    assert not browser.errors


def test_stored_results_are_grouped_and_have_nothing_to_average(tmp_path, capsys):
    names = tuple(f"{day}_{number}" for day in "ab" for number in range(3))
    counts = ImageCounts(names, np.tile(np.int64([4, 0, 0]), (6, 1, 1)))
    folders = [str(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        table = ImageTable(counts, np.zeros(6, np.int64), np.zeros(6), np.zeros(6), "0" * 16)
        write_results(Path(folder), Evaluation(("sky",), Confusion(1, np.array([[24, 0]])), table))
    options = ["--out", str(tmp_path), "--json", "-"]
    assert run(["compare", *folders, "--groups", "^.", *options]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["groups"] == {"a": 0, "b": 0}
    for option in (["--tta"], ["--scales", "1,2"]):
        assert run(["compare", *folders, *option, *options]) == 2
        assert f"{option[0]} needs a model" in capsys.readouterr().err
