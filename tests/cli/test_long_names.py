"""Class names of 500 characters, the most that are allowed, are shown by every command."""

import json

import numpy as np
import pytest
from PIL import Image

from fullconv.cli import run

TINY = ["--model", "fcn32s-vgg11", "--width", "0.015625", "--hidden", "4", "--steps", "2"]
TINY += ["--crop", "24x32", "--set", "preflight=false", "--weights", "none", "--quiet"]


@pytest.mark.parametrize("letter", ["x", "w ", "雨"])
def test_every_command_shows_them(tmp_path, capfd, monkeypatch, letter):
    monkeypatch.chdir(tmp_path)
    names = [(start + letter * 500)[:500].strip() for start in "ab"]
    draw = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for number in range(5):
        image, mask = draw.integers(0, 255, (24, 32, 3), np.uint8), draw.integers(0, 2, (24, 32))
        Image.fromarray(image).save(f"data/images/{number}.png")
        Image.fromarray(mask.astype(np.uint8)).save(f"data/masks/{number}.png")
    (tmp_path / "data" / "classes.txt").write_text("\n".join(names), "utf-8")
    run_folder = "runs/train/data-001"
    for command in (
        ["check", "data", "--quiet"],
        ["train", "data", *TINY],
        ["evaluate", run_folder, "--report", "--quiet"],
        ["predict", run_folder, "data/images/0.png", "--save", "labels,overlay,contact", "--quiet"],
        ["inspect", run_folder],
    ):
        assert run(command) == 0, capfd.readouterr().err
    metrics = (tmp_path / "runs/evaluate/latest/metrics.json").read_text("utf-8")
    printed = capfd.readouterr()
    assert "Traceback" not in printed.err
    assert all(json.dumps(name, ensure_ascii=False) in metrics for name in names)
