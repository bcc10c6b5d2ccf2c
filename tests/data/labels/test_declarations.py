"""A declaration of classes that cannot be read is refused, not taken for a missing one."""

import os

import numpy as np
import pytest

import fullconv as fc
from fullconv.data.labels.classes import declared_classes
from fullconv.errors import DataError
from fullconv.io.images import write_image, write_labels
from fullconv.io.palettes import voc_palette


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        image = np.full((8, 8, 3), number, np.uint8)
        write_image(tmp_path / "images" / f"{number}.png", image)
        labels = np.arange(64, dtype=np.uint8).reshape(8, 8) % 3
        write_labels(tmp_path / "masks" / f"{number}.png", labels, voc_palette(3))
    return tmp_path


KINDS = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "broken link": lambda path: os.symlink("nowhere", path),
    "loop": lambda path: os.symlink(os.path.basename(path), path),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["classes.txt", "dataset.yaml", "labelmap.txt"])
def test_a_declaration_that_is_no_file_is_named(folder, kind, name):
    KINDS[kind](folder / name)
    with pytest.raises(DataError, match=rf"{name}: cannot be opened"):
        fc.open_data(str(folder))


def test_no_declaration_is_none(folder):
    assert declared_classes(folder) is None
