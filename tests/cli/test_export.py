"""The command export writes verified files."""

import json

import pytest

import export_models
from fullconv.cli import run
from fullconv.config import Normalization
from fullconv.inference.runtimes.description import Description
from fullconv.io.images import read_mask, write_image
from fullconv.model import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export_models.model("fcn32s-vgg11").save(folder / "net.safetensors")
    for index, photo in enumerate(export_models.photos((50, 60), (33, 47))):
        write_image(folder / "photos" / f"{index}.png", photo)
    return folder


@pytest.fixture(scope="module")
def exported(folder):
    arguments = [str(folder / "net.safetensors"), str(folder / "net.pt2")]
    where = ["--photos", str(folder / "photos"), "--json", str(folder / "export.json")]
    assert run(["export", *arguments, *where]) == 0
    return folder / "net.pt2"


def test_parity_is_printed_and_written(exported, folder, capsys):
    values = json.loads((folder / "export.json").read_text())
    assert values["file"] == str(exported) and values["least"] == [1, 1]
    assert len(values["parity"]["sizes"]) >= 4 and values["parity"]["difference"] < 1e-5
    assert load(exported).exported.description.parity.difference == values["parity"]["difference"]
    again = [str(folder / "net.safetensors"), str(folder / "again.pt2"), "--quiet"]
    assert run(["export", *again]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("parity  ") and "0.0000% of the pixels" in lines[0]
    assert lines[1] == f"written {folder / 'again.pt2'}"


def test_predict_and_evaluate_accept_exported_files(exported, folder, tmp_path, capsys):
    for model in (exported, folder / "net.safetensors"):
        where = ["--out", str(tmp_path / model.suffix), "--save", "labels", "--quiet"]
        assert run(["predict", str(model), str(folder / "photos"), *where]) == 0
    for name in ("0.png", "1.png"):
        ours, theirs = (tmp_path / s / "labels" / name for s in (".safetensors", ".pt2"))
        assert (read_mask(ours) == read_mask(theirs)).all()
    assert run(["evaluate", str(exported), "scenes:4", "--tta"]) == 2
    assert "evaluate it on data with its own classes" in capsys.readouterr().err


def test_a_float16_model_has_half_the_size(folder, tmp_path, capsys):
    full, half = folder / "net.safetensors", tmp_path / "half.safetensors"
    where = ["--photos", str(folder / "photos"), "--json", str(tmp_path / "half.json")]
    assert run(["export", str(full), str(half), *where]) == 0
    text = capsys.readouterr().out
    assert "parity  " in text and f"written {half} (" in text
    headers = [int.from_bytes(path.read_bytes()[:8], "little") for path in (full, half)]
    numbers = [path.stat().st_size - size for path, size in zip((full, half), headers, strict=True)]
    assert numbers[1] < 0.52 * numbers[0]
    parity = json.loads((tmp_path / "half.json").read_text())["parity"]
    assert 0 < parity["difference"] < 1e-2
    before = full.read_bytes()
    assert run(["export", str(full), str(full)]) == 2
    assert "is the model itself" in capsys.readouterr().err
    assert run(["export", str(tmp_path / "nowhere.safetensors"), str(half)]) == 2
    assert "nowhere.safetensors: there is no such model file" in capsys.readouterr().err
    assert full.read_bytes() == before


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_checkpoints_of_a_run_are_not_overwritten(folder, tmp_path, name, capsys):
    (tmp_path / "config.yaml").write_text("data: scenes:9\n")
    before = (folder / "net.safetensors").read_bytes()
    (tmp_path / name).write_bytes(before)
    assert run(["export", str(tmp_path), str(tmp_path / name)]) == 2
    assert "is a checkpoint of the run" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before


def test_a_mistake_is_one_clear_message(exported, folder, capsys, tmp_path):
    model, out = str(folder / "net.safetensors"), str(tmp_path / "out.pt2")
    for arguments, message in (
        (
            [model, str(tmp_path / "out.tflite")],
            "unsupported format .tflite; supported: .html, .onnx, ",
        ),
        ([str(exported), out], "is an exported file; export the model it was made from"),
        ([model, out, "--int8"], "add --data DATA"),
        ([model, out, "--int8", "--data", "scenes:6"], ".pt2 has no int8; expected .onnx"),
        ([model, out, "--data", "scenes:6", "--photos", "x.png"], "give either --data or --photos"),
        ([model, out, "--photos", "nowhere.png"], "nowhere.png"),
        ([model, str(tmp_path / "out.safetensors"), "--int8"], "need a file of another runtime"),
        ([model, out, "--size", "big"], "expected height x width"),
        ([model, out, "--int8", "--data", "scenes:6", "--photos", "x.png"], "give --data, not"),
        ([model, out, "--tolerance", "2"], "--tolerance is what --int8 may cost"),
        ([model, "./"], "./ is not a name for a page; expected a new folder, such as page/"),
        ([model, "../"], "../ is not a name for a page"),
        ([str(folder / "absent.safetensors"), out], "there is no such model file"),
    ):
        assert run(["export", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out.pt2").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a.onnx", "--for", "qgis"], "unknown target of an export 'qgis'"),
        (["a", "--for", "deepness"], "an .onnx file is written"),
        (["a.onnx", "--for", "deepness", "--size", "64x96"], "square"),
        (["a.onnx", "--for", "triton"], "the name of a file"),
        (["photos", "--for", "triton"], "exists; expected a new folder"),
        (["hub", "--for", "huggingface", "--size", "64x64"], "--size is not possible"),
        (["a", "--for", "triton", "--int8"], "--int8 is not possible with --for"),
    ],
)
def test_mistakes_of_exports_for_programs(folder, monkeypatch, capsys, options, message):
    monkeypatch.chdir(folder)
    assert run(["export", "net.safetensors", *options]) == 2
    assert message in capsys.readouterr().err
    assert not any((folder / name).exists() for name in ("a", "a.onnx", "hub"))


def test_a_folder_for_triton_is_reported(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fullconv.export.targets.triton.write_onnx", lambda wanted, path: FOUND)
    path = tmp_path / "repository" / "street"
    command = ["export", str(folder / "net.safetensors"), str(path), "--for", "triton"]
    assert run([*command, "--photos", str(folder / "photos")]) == 0
    text = capsys.readouterr().out
    assert f"written {path}" in text and "tritonserver --model-repository" in text
    assert max(map(len, text.splitlines())) < 80 + len(str(path.parent))
    assert run([*command, "--json", "-", "--quiet"]) == 2


FOUND = Description.checked(
    fullconv="1",
    classes=export_models.CLASSES,
    palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    protocol="full size",
    normalization=Normalization(mean=(0, 0, 0), std=(1, 1, 1)),
    parity={"sizes": ((33, 47),), "difference": 1e-7, "label_changes": 0},
)
