"""Labelling a raster that is killed and resumed gives the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
PROGRAM = Path(__file__).parents[2] / "killing_rasters.py"


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_kills_do_not_change_the_labels(tmp_path, kills):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["kills"] >= kills
    assert (report["different"], report["partial"], report["hidden"]) == ([], [], [])
