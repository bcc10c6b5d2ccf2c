"""Pictures are well-formed, have a dark style, and show texts as they are."""

from xml.etree import ElementTree

import numpy as np

from fullconv.explain.svg import Drawing


def drawn():
    picture = Drawing(100, 50, 'a <b> & "c"')
    picture.grid(0, 0, [["1", "<2>"]], 20, lambda i, j: "blue")
    picture.text(1, 2, "x\x1b[31m & y")
    picture.arrow(0, 0, 10, 0)
    picture.image(0, 0, 10, 10, np.zeros((2, 2, 3), np.uint8), exact=True)
    return picture.render()


def test_a_picture_is_well_formed_whatever_its_texts():
    root = ElementTree.fromstring(drawn())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "<2>" in texts and all("\x1b" not in text for text in texts)


def test_a_picture_has_colors_for_light_and_dark_pages():
    picture = drawn()
    assert "prefers-color-scheme:dark" in picture
    assert "script" not in picture and "http" not in picture.replace("http://www.w3.org", "")
