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


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        ("road\ntree\n", "[tree, road]", "the value 0 is 'road', but 1 is 'road' in "),
        ("road\ntree\n", "[background, road]", "the value 0 is 'road', but 1 is 'road' in "),
        ("0 road\n2 tree\n", "[road, tree]", "the value 2 is 'tree', but 1 is 'tree' in "),
        ("road\ntree\n", "[road, car]", "the value 1 is 'tree', but 1 is 'car' in "),
        ("road\ntree\n", "[Road, tree]", ""),
        ("road\ntree\n", "[road, tree, car]", ""),
        ("_background_\nroad\n", "[background, road]", ""),
        ("road #804080\ntree #008000\n", "[tree, road]", ""),  # the masks hold colours
    ],
)
def test_numbers_of_two_declarations_must_agree(tmp_path, text, names, found):
    (tmp_path / "classes.txt").write_text(text)
    (tmp_path / "data.yaml").write_text(f"names: {names}\n")
    assert declared_classes(tmp_path).where.endswith("classes.txt")
    if found:
        with pytest.raises(DataError, match=rf"classes\.txt: {found}.*data\.yaml"):
            declared_classes(tmp_path, numbered=True)
    else:
        assert declared_classes(tmp_path, numbered=True) == declared_classes(tmp_path)


def test_no_declaration_is_none(folder):
    assert declared_classes(folder) is None
