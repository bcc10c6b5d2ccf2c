"""fullconv demo trains on the included photos and ends with the path of a picture."""

import numpy as np
import pytest

from fullconv.cli import demo, run
from fullconv.data.formats import open_data
from fullconv.evaluation.report.gallery import COLUMN, GAP
from fullconv.io.images import read_image

TINY = {"model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 8, "weights": "none", "steps": 1}


@pytest.fixture
def settings(monkeypatch):
    """Train a tiny network for one step, and return the settings that the demo asked for."""
    asked = {}
    settings_of = demo.new_settings

    def tiny(given, config, group_by):
        asked.update(given)
        wanted = {name: value for name, value in given.items() if name != "minutes"}
        return settings_of(wanted | TINY | {"crop": (32, 32), "batch": 2}, config, group_by)

    monkeypatch.setattr(demo, "new_settings", tiny)
    return asked


def test_the_last_line_is_the_path_of_the_picture(settings, tmp_path, capsys):
    assert run(["demo", "--out", str(tmp_path), "--seed", "3", "--quiet"]) == 0
    *_, result, _, last = capsys.readouterr().out.splitlines()
    assert settings == {"data": "samples:nuclei", "minutes": 2.0, "seed": 3}
    assert result.startswith("demo    nucleus IoU ") and "on 6 held-out photos" in result
    folder = tmp_path / "train" / "demo-001"
    assert last == str(folder / "predictions.png") and (folder / "report.html").is_file()
    picture = read_image(folder / "predictions.png")
    first = open_data("samples:nuclei", "val")[0]
    assert picture.shape[1] == 3 * COLUMN + 2 * GAP
    scale = first.image.shape[1] / COLUMN
    photo = picture[20 : 20 + round(first.image.shape[0] / scale), :COLUMN]
    difference = photo.mean(axis=(0, 1)) - first.image.mean(axis=(0, 1))
    assert np.abs(difference).max() < 2, "the first panel is the first held-out photo"


def test_minutes_are_checked_before_a_folder_is_created(tmp_path, capsys):
    assert run(["demo", "--minutes", "0", "--out", str(tmp_path / "runs")]) == 2
    assert "minutes is 0" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
