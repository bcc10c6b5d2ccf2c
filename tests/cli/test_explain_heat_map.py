"""The command explain draws a class heat map."""

import json
import re

import numpy as np

from fullconv.cli import run
from fullconv.io.images import read_image, write_image


def photo(folder):
    image = np.random.default_rng(0).integers(0, 256, (130, 260, 3)).astype(np.uint8)
    write_image(folder / "photo.png", image)
    return str(folder / "photo.png")


def test_a_heat_map_of_a_class(tmp_path, capsys):
    out = tmp_path / "heat.png"
    arguments = ["explain", "squeezenet1_1", photo(tmp_path), "--classes", "7", "--class", "3"]
    assert run([*arguments, "--out", str(out), "--json", str(tmp_path / "a.json")]) == 0
    assert "class 3" in capsys.readouterr().out
    # 130 x 260 enlarged by two, to whole strides from 224, with a title and a scale of 20 rows.
    assert read_image(out).shape == (256 + 40, 512, 3)
    values = json.loads((tmp_path / "a.json").read_text())
    assert values["shown"] == 3 and len(values["top"]) == 5


def test_a_mistake_is_one_clear_message(tmp_path, capsys):
    for arguments, message in (
        (["nonet", photo(tmp_path)], "unknown classifier 'nonet'"),
        (["squeezenet1_1", photo(tmp_path), "--classes", "7", "--class", "9"], "expected 0 to 6"),
        (["squeezenet1_1", photo(tmp_path), "--enlarge", "99"], "from 0.1 to 16"),
        (["squeezenet1_1", "nowhere.png"], "no such file"),
        (["nuclei", photo(tmp_path)], "nuclei is not an image classifier, .* explain skips nuclei"),
        ([str(tmp_path), photo(tmp_path)], "is not an image classifier"),
    ):
        assert run(["explain", *arguments, "--out", str(tmp_path / "heat.png")]) == 2
        assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "heat.png").exists()
