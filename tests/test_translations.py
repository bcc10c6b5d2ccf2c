"""The Chinese pages: each names its source, has its code blocks, and says when it is stale."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("translations", ROOT / "scripts" / "translations.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
PAGES = script.translations()
each_page = pytest.mark.parametrize("each", PAGES, ids=lambda each: str(each.page.name))


@each_page
def test_a_translation_has_the_code_blocks_of_its_source(each):
    assert each.source.is_file()
    assert script.code_blocks(each.page) == script.code_blocks(each.source)


@each_page
def test_a_translation_is_chinese(each):
    text = each.page.read_text(encoding="utf-8")
    assert sum("\u4e00" <= character <= "\u9fff" for character in text) > 150


def test_every_chapter_of_the_course_is_translated():
    chapters = set((ROOT / "docs" / "course").glob("*.md"))
    assert chapters <= {each.source for each in PAGES}


def test_stale_pages_are_listed():
    """A changed source is no failure; the report of pytest names the pages."""
    stale = [str(each.page.relative_to(ROOT)) for each in PAGES if each.stale]
    if stale:
        pytest.skip(f"to translate again: {', '.join(stale)}")


def test_a_change_of_the_source_makes_a_page_stale(tmp_path):
    source = tmp_path / "a.md"
    source.write_text("first")
    translation = script.Translation(tmp_path / "zh.md", source, script.digest_of(source))
    assert not translation.stale
    source.write_text("second")
    assert translation.stale
