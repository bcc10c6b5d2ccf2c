"""check --write-classes: a list of what the masks hold, where none is declared."""

import re

import numpy as np
import pytest

from fullconv.cli import run
from fullconv.data.formats import open_data
from fullconv.errors import DataError
from mask_folders import drawn, folder_of

COLORS = ((0, 0, 0), (200, 10, 30), (9, 90, 250))


def write(folder):
    options = ["--write-classes", "--out", str(folder.parent / "runs")]
    return run(["check", str(folder), *options])


@pytest.mark.parametrize(
    ("values", "shares", "lines", "said"),
    [
        ((0, 128, 200), (0.8, 0.1, 0.1), "0 class 0/128 class 128/200 class 200", ""),
        ((0, 128, 255), (0.6, 0.1, 0.3), "0 class 0/128 class 128/255 class 255", "as a class"),
        ((0, 128, 255), (0.8, 0.196, 0.004), "0 class 0/128 class 128/255 void", "as ignored"),
        ((0, 1, 255), (0.6, 0.1, 0.3), "0 class 0/1 class 1/255 void", "as ignored"),
        ((0, 255), (0.6, 0.4), "0 background/255 foreground", "as a class"),
    ],
)
def test_the_values_are_written_and_read_alike(tmp_path, capsys, values, shares, lines, said):
    masks = drawn(values, shares)
    folder = folder_of(tmp_path / "set", masks)
    assert write(folder) in (0, 4)
    text = capsys.readouterr().out
    assert (folder / "classes.txt").read_text().splitlines() == lines.split("/")
    assert said in text and ("255 covers" in text) is bool(said)
    assert "Nothing else was changed" in text
    found = open_data(folder)
    for sample, mask in zip(found, masks, strict=True):
        ignored = sample.labels == 255
        assert (ignored == ((mask == 255) & ("void" in lines))).all()
        assert (np.array(values)[sample.labels[~ignored]] == mask[~ignored]).all()


def test_colours_are_written_and_read_alike(tmp_path, capsys):
    masks = drawn(COLORS, (0.7, 0.2, 0.1))
    folder = folder_of(tmp_path / "set", masks)
    (folder / "train.txt").write_text("0\n1\n2\n")
    (folder / "val.txt").write_text("3\n")
    assert write(folder) == 4  # no colours are declared yet
    assert "check DATA --write-classes writes it" in capsys.readouterr().out
    found = open_data(folder)
    for sample, mask in zip(found, masks, strict=True):
        assert (np.array(COLORS)[sample.labels] == mask).all()
    assert found.palette == COLORS


@pytest.mark.parametrize("name", ["classes.txt", "classes.csv", "labels.txt"])
def test_an_existing_list_is_never_changed(tmp_path, capsys, name):
    folder = folder_of(tmp_path / "set", drawn((0, 1), (0.5, 0.5)))
    text = "id,name\n0,a\n1,b\n" if name.endswith("csv") else "a\nb\n"
    (folder / name).write_text(text)
    before = sorted(folder.iterdir())
    assert write(folder) == 2
    assert "--write-classes changes no list of classes" in capsys.readouterr().err
    assert (folder / name).read_text() == text and sorted(folder.iterdir()) == before


def test_noise_and_other_formats_are_refused(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    folder = folder_of(tmp_path / "set", [noise])
    assert write(folder) == 2
    assert "256 values" in capsys.readouterr().err and not (folder / "classes.txt").exists()
    assert run(["check", "scenes:4", "--write-classes", "--out", str(tmp_path)]) == 2


def test_an_undecided_255_is_asked_about(tmp_path, capsys):
    folder = folder_of(tmp_path / "set", drawn((0, 128, 255), (0.6, 0.1, 0.3)))
    for declared in (None, "a\nb\n", "0 a\n128 b\n"):
        if declared:
            (folder / "classes.txt").write_text(declared)
        assert run(["check", str(folder), "--out", str(tmp_path / "runs")]) == 4
        text = capsys.readouterr().out
        assert text.count("ERROR") == 1 and '"255 void"' in text
        assert "255 covers 30" in text or "255 covers 29" in text
        assert re.search("^255 in masks +open: a class, or ignored$", text, re.M)
        assert run(["train", str(folder), "--out", str(tmp_path / "runs")]) == 2
        with pytest.raises(DataError, match='"255 void"'):
            open_data(folder)
