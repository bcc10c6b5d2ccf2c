"""`fullconv compare` accepts models, predictions and stored results, and refuses to mix them."""

import json

import pytest
import torch

import fullconv as fc
from fullconv.cli import run
from fullconv.data.synthetic.materials import CLASSES

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


def test_two_sources_and_a_data_set_are_needed(models, tmp_path, capsys):
    assert run(["compare", models[0], "--data", DATA]) == 2
    assert "expected two or more" in capsys.readouterr().err
    assert run(["compare", *models]) == 2
    assert "no data set is given" in capsys.readouterr().err
