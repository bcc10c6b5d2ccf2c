"""The commands of `fullconv explain` print tables, draw pictures and refuse wrong input."""

import json

import pytest

from fullconv.cli import run
from photos import write_model, write_photos
from test_docs import MEMBERS

MATRIX_COMMANDS = ["bilinear", "transposed", "unpooling"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_of_the_course(folder, capsys):
    arguments = ["bilinear", "--size", "4x4", "--corners", "aligned", "--json", "a.json"]
    assert run(["explain", *arguments]) == 0
    text = capsys.readouterr().out
    assert "   5/3     2   7/3   8/3" in text
    values = json.loads((folder / "a.json").read_text())
    assert values["tables"][0]["output"]["exact"][3] == ["3", "10/3", "11/3", "4"]
    assert (folder / "bilinear.svg").read_text().startswith("<svg")


def test_a_kernel_of_ones_own(folder, capsys):
    arguments = ["--input", "1 1", "--kernel", "1/2 1 1/2", "--stride", "2", "--json", "-"]
    assert run(["explain", "transposed", *arguments]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["output"]["exact"] == [["1/2", "1", "1", "1", "1/2"]] and values["views_agree"]


def test_crops_of_the_papers_network(folder, capsys):
    assert run(["explain", "crops", "fcn8s-vgg11", "--padding", "100", "--json", "a.json"]) == 0
    assert "drop 31 of upscore8" in capsys.readouterr().out
    crops = json.loads((folder / "a.json").read_text())["crops"]
    assert [each["offset"] for each in crops] == [5, 9, 31]


def test_fields_and_skips_of_a_trained_model_on_a_photo(folder, capsys):
    write_model(folder / "m.safetensors")
    write_photos(folder / "photos", 1)
    photo = str(next((folder / "photos").glob("*.png")))
    arguments = ["receptive-field", "m.safetensors", photo, "--json", "field.json"]
    assert run(["explain", *arguments]) == 0
    values = json.loads((folder / "field.json").read_text())
    assert all(each["measured"] == [each["derived"]] * 2 for each in values["features"])
    assert values["influence"]["side_50"] <= values["influence"]["side_95"]
    assert run(["explain", "skips", "m.safetensors", photo, "--json", "skips.json"]) == 0
    values = json.loads((folder / "skips.json").read_text())
    assert values["contributions"][0]["scores"] == "32s"
    assert {"receptive-field.svg", "skips.svg"} <= {path.name for path in folder.iterdir()}
    capsys.readouterr()
    assert run(["explain", "skips", "m.safetensors", photo, "--class", "unicorn"]) == 2
    assert "unknown class 'unicorn'" in capsys.readouterr().err
    assert run(["explain", "skips", "m.onnx", photo]) == 2


def test_the_microscope_is_written_by_its_option_or_its_name(folder, capsys):
    write_model(folder / "m.safetensors")
    write_photos(folder / "photos", 1)
    photo = str(next((folder / "photos").glob("*.png")))
    assert run(["explain", "m.safetensors", photo, "--page", "a.html", "--json", "a.json"]) == 0
    assert "the whole network runs in the page" in capsys.readouterr().out
    assert run(["explain", "microscope", "m.safetensors", photo, "--page=b.html"]) == 0
    page = (folder / "a.html").read_bytes()
    assert page == (folder / "b.html").read_bytes() and b"Network microscope" in page
    values = json.loads((folder / "a.json").read_text())
    assert values["live"] and values["bytes"] == len(page) < 1_500_000
    capsys.readouterr()
    assert run(["explain", "m.safetensors", photo, "--page", "a.png"]) == 2
    assert "expected a name that ends in .html" in capsys.readouterr().err
    assert run(["explain", "resnet18", photo, "--page", "c.html"]) == 2
    assert not (folder / "c.html").exists()


@pytest.mark.parametrize("name", MATRIX_COMMANDS)
def test_tables_fit_80_columns(name, capsys):
    assert run(["explain", name]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("name", sorted(MEMBERS["explain"]))
def test_the_help_of_every_member_fits_and_is_complete(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["explain", name, "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert run(["explain", "--help"]) == 0
    line = next(s for s in capsys.readouterr().out.splitlines() if s.startswith(f"  {name} "))
    assert line.endswith(".") and not line.endswith("...")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bilinaer"], "expected one of bilinear, crops"),
        (["bilinear", "--input", "1 2; 3"], "rows of 1 and 2 numbers"),
        (["bilinear", "--factor", "1/3"], "expected whole numbers"),
        (["bilinear", "--size", "99x9"], "at most 64x64"),
        (["bilinear", "--corners", "none"], "expected one of both, aligned, edges"),
        (["bilinear", "--out", "a.png"], "ends in .svg"),
        (["transposed", "--kernel", "1;x"], "'x' is not a number"),
        (["transposed", "--kernel", "bilinear", "--stride", "9"], "a stride of 2 to 8"),
        (["unpooling", "--window", "0"], "--window"),
        (["crops", "fcn8s-vgg17"], "vgg17"),
        (["crops", "nowhere/run"], "nowhere"),
    ],
)
def test_a_mistake_is_one_clear_message(folder, arguments, message, capsys):
    assert run(["explain", *arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err
    assert not list(folder.iterdir())
