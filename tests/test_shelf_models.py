"""The bundled models are described by their files, and in the wheel without them."""

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

import fullconv as fc
from fullconv.inference.shelf import shelf

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent for path in (ROOT / "models").glob("*/model.json"))


@pytest.fixture(scope="module")
def model_table():
    path = ROOT / "scripts" / "model_table.py"
    spec = importlib.util.spec_from_file_location("model_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_descriptions_and_table_are_up_to_date(model_table):
    assert model_table.stale() == [], "run python scripts/model_table.py"


def test_every_model_is_listed():
    assert [*shelf()] == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_model_is_small_and_has_a_card_and_opens(folder):
    model = shelf()[folder.name]
    assert model.local == folder / model.file and model.bytes < 12e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "## Licences" in card and f"fullconv predict {folder.name} " in card
    assert len(fc.load(model.local).classes) == model.classes


def test_the_wheel_has_the_descriptions_only(tmp_path):
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    (path,) = wheel.build(directory=str(tmp_path), versions=["standard"])
    packed = {name for name in zipfile.ZipFile(path).namelist() if "/models/" in name}
    assert packed == {f"fullconv/models/{folder.name}/model.json" for folder in FOLDERS}


def test_the_milliseconds_are_those_of_the_fastest_engines(model_table, tmp_path):
    rows = [("fp32", 0.05), ("fp32", 0.04), ("int8", 0.02)]
    result = {
        "rows": [{"precision": name, "seconds": {"median": took}} for name, took in rows],
        "size": [360, 480],
        "threads": 2,
        "machine": {"processor": "a processor"},
    }
    (tmp_path / "bench.json").write_text(json.dumps({"sizes": [result]}))
    found = model_table.measured(tmp_path / "bench.json")
    assert (found.float32, found.int8, found.size) == (40.0, 20.0, (360, 480))


def test_the_nuclei_of_the_photos_that_come_along_are_found():
    """They are three of the 80 validation images, on which the mean IoU is 90.0."""
    data = fc.open_data(str(ROOT / "models" / "nuclei" / "photos"), split=None)
    found = fc.evaluate(fc.load(shelf()["nuclei"].local), data)
    assert len(data) == 3 and found.mean_iou > 0.8
