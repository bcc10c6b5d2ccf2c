"""Brush, fill and undo."""

import numpy as np
from scipy import ndimage

from node import node

SHAPE = (40, 60)


def blobs(seed=0):
    random = np.random.default_rng(seed)
    return np.kron(random.integers(0, 3, (8, 10)), np.ones((5, 6))).astype(np.uint8)


def edit(code, labels):
    found = node(
        f"""const {{ Editor }} = await load("editing");
        const editor = new Editor(given.labels, {SHAPE[1]}, {SHAPE[0]});
        const change = (action) => {{ editor.begin(); action(); editor.finish(); }};
        {code}
        return {{ labels: editor.labels, box: editor.done.at(-1)?.box ?? null,
          done: editor.done.length, undone: editor.undone.length }};""",
        labels=labels,
    )
    found["labels"] = np.frombuffer(found["labels"], np.uint8).reshape(SHAPE)
    return found


def test_fill_sets_the_region_of_the_same_class_that_shares_sides():
    labels = blobs()
    for y, x in [(0, 0), (39, 59), (17, 31)]:
        regions, _ = ndimage.label(labels == labels[y, x])
        expected = np.where(regions == regions[y, x], 7, labels)
        found = edit(f"change(() => editor.fill({x}, {y}, 7));", labels)
        assert (found["labels"] == expected).all()


def test_the_brush_sets_a_disk_along_the_line():
    found = edit("change(() => editor.stroke(5, 6, 45, 30, 8, 9));", blobs())["labels"] == 9
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    points = [(5 + 40 * t, 6 + 24 * t) for t in np.linspace(0, 1, 2001)]
    distance = np.min([np.hypot(x - a, y - b) for a, b in points], 0)
    unsure = np.abs(distance - 4) < 0.01
    assert ((found == (distance <= 4)) | unsure).all()


def test_strokes_beyond_the_border_are_cut():
    labels = blobs()
    found = edit("change(() => editor.stroke(-50, -50, -3, 2, 4, 9));", labels)
    assert (found["labels"] == labels).all() and found["done"] == 0
    found = edit("change(() => editor.stroke(-5, 20, 99, 20, 1, 9));", labels)
    assert (found["labels"][20] == 9).all() and (found["labels"] == 9).sum() == SHAPE[1]


CHANGES = """
    change(() => editor.stroke(3, 3, 20, 9, 6, 5));
    change(() => { editor.stroke(20, 9, 30, 30, 6, 6); editor.stroke(30, 30, 8, 22, 6, 6); });
    change(() => editor.fill(50, 30, 4));"""


def test_undo_restores_the_labels_and_redo_the_change():
    labels = blobs(1)
    changed = edit(CHANGES, labels)
    assert changed["done"] == 3 and (changed["labels"] != labels).any()
    back = edit(CHANGES + "editor.undo(); editor.undo(); editor.undo(); editor.undo();", labels)
    assert (back["labels"] == labels).all() and (back["done"], back["undone"]) == (0, 3)
    again = edit(CHANGES + "editor.undo(); editor.undo(); editor.redo(); editor.redo();", labels)
    assert (again["labels"] == changed["labels"]).all() and again["done"] == 3


def test_a_new_change_ends_what_can_be_redone():
    found = edit(CHANGES + "editor.undo(); change(() => editor.fill(0, 0, 8));", blobs(1))
    assert (found["done"], found["undone"]) == (3, 0)


def test_a_change_of_nothing_is_none():
    assert edit("change(() => editor.fill(0, 0, editor.labels[0]));", blobs())["done"] == 0
