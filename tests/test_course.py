"""The course: its figures are those of the code, small, and legible on light and dark pages."""

import base64
import gzip
import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "docs" / "course"
CHAPTERS = sorted(COURSE.glob("0*.md"))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "scripts" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_figures_are_up_to_date(script):
    stored = {path.name: path.read_text(encoding="utf-8") for path in script.FOLDER.iterdir()}
    drawn = dict(script.figures())
    assert stored.keys() == drawn.keys()
    stale = [name for name in drawn if not script.is_current(stored[name], drawn[name])]
    assert not stale, "run `make figures`"


def test_the_microscope_is_up_to_date_and_small(script):
    stored, made = script.MICROSCOPE.read_text(encoding="utf-8"), script.microscope()
    assert unpacked(stored) == unpacked(made), "run `make figures`"
    assert len(stored.encode()) < 800_000


def unpacked(page):
    """Return the text of a page, and its arrays, which zlib packs differently on other machines."""
    before, arrays, after = re.split(r'(?<=id="arrays">)([^<]*)', page)
    return before, gzip.decompress(base64.b64decode(arrays)), after


def test_another_number_or_text_is_not_current(script):
    old = '<text x="1.2">68 %</text><image href="data:base64,abc"/>'
    assert script.is_current(old, old.replace("68", "69").replace("abc", "xyz"))
    assert not script.is_current(old, old.replace("68", "71"))
    assert not script.is_current(old, old.replace("%", "px"))


def test_the_figures_are_small_and_have_dark_colors():
    for path in (COURSE / "figures").iterdir():
        text = path.read_text(encoding="utf-8")
        assert len(text) < 100_000, path.name
        assert "prefers-color-scheme:dark" in text and ElementTree.fromstring(text).tag


def test_every_chamber_of_the_microscope_is_linked_by_its_chapter(script):
    chambers = set(re.findall(r'<section id="(\w+)"', script.MICROSCOPE.read_text("utf-8")))
    assert len(chambers) == 9
    link = re.compile(r"microscope\.html#(\w+)")
    links = [link.findall(page.read_text("utf-8")) for page in CHAPTERS]
    assert all(links) and {name for found in links for name in found} == chambers
    chinese = [ROOT / "docs" / "zh" / "course" / page.name for page in CHAPTERS]
    assert [link.findall(page.read_text("utf-8")) for page in chinese] == links


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_every_chapter_has_all_its_parts(page):
    text = page.read_text(encoding="utf-8")
    for part in (
        "**Idea.**",
        "![",
        "**Formula**",
        "**Code.**",
        "**Exercise.**",
        "Solution",
        "**In the source:**",
    ):
        assert part in text, part
    first = re.search(r"\*\*Code\.\*\*.*?```python\n(.*?)```", text, re.DOTALL)
    assert first and len(first[1].splitlines()) <= 16


def test_the_chapters_are_in_the_order_of_the_notes():
    assert [page.stem[:2] for page in CHAPTERS] == [f"{n:02}" for n in range(1, 10)]
