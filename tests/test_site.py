"""make site: complete, in two languages, without dead links, and nothing from another host."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from browser import DESKTOP, PHONE, open_browser, overflow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if find_spec("zensical") is None:
        pytest.skip("needs Zensical (make setup), which is not installed")
    from make_site import build

    folder = tmp_path_factory.mktemp("built") / "site"
    build(folder)
    return folder


def text_of(file):
    return file.read_text(encoding="utf-8")


def test_no_link_is_dead(site):
    from check_site import dead_links

    assert dead_links(site) == []


def test_nothing_comes_from_another_host(site):
    from check_site import foreign_hosts

    assert foreign_hosts(site) == []
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", text_of(style)), style


def test_every_page_is_in_the_menu(site):
    from site_pages import all_pages

    pages = all_pages().values()
    assert all((site / page.url).is_file() for page in pages)
    for language, home in (("en", site / "index.html"), ("zh", site / "zh" / "index.html")):
        menu = text_of(home).partition("md-nav--primary")[2].partition("md-content")[0]
        urls = {page.url.removeprefix("zh/") for page in pages if page.language == language}
        assert urls <= set(re.findall(r'href="(?:\./)?([^"#]+)"', menu))


def test_a_page_and_its_translation_link_each_other(site):
    english, chinese = "docs/course/03-bilinear.html", "zh/docs/course/03-bilinear.html"
    assert f'<a href="../../{chinese}" lang="zh"' in text_of(site / english)
    assert f'<a href="../../../{english}" lang="en"' in text_of(site / chinese)
    assert '<html lang="zh"' in text_of(site / chinese)


def test_fractions_details_and_tables_survive(site):
    page = text_of(site / "docs" / "course" / "03-bilinear.html")
    assert "Why are its first two values\n1 and 5/4" in page
    assert re.search(r"<summary>Solution</summary>\s*<p>p = ", page)
    assert "<table>" in text_of(site / "docs" / "course" / "index.html")


def test_anchors_are_those_of_a_repository_page():
    from site_pages import anchor

    taken = set()
    titles = ("Photos with `--bands`", "What's new?", "What's new?", "[Exit codes](a.md): 0 - 3")
    found = [anchor(title, taken) for title in titles]
    assert found == ["photos-with---bands", "whats-new", "whats-new-1", "exit-codes-0---3"]


def test_the_checks_find_dead_links_and_other_hosts(tmp_path):
    from check_site import dead_links, foreign_hosts

    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">x</a><a href="b.html#gone">x</a><a href="c.html">x</a>'
        '<a href="..">x</a><img src="none.png"><a href="https://example.org">x</a>'
        '<script src="//example.org/x.js"></script><link rel="canonical" href="https://e.org">'
        '<link rel="stylesheet" href="https://example.org/x.css">'
    )
    (tmp_path / "b.html").write_text('<p id="there">')
    expected = ["..", "b.html#gone", "c.html", "none.png"]
    assert dead_links(tmp_path) == [f"a.html: {link}" for link in expected]
    hosts = ["//example.org/x.js", "https://example.org/x.css"]
    assert foreign_hosts(tmp_path) == [f"a.html: {target}" for target in hosts]


@pytest.mark.slow
def test_pages_from_disk_fit_a_phone_and_can_be_searched(site):
    with open_browser() as browser:
        for name in ("index.html", "docs/course/04-transposed-convolution.html", "zh/index.html"):
            for width in (PHONE, DESKTOP):
                page = browser.open(site / name, width=width, dark=width == PHONE)
                assert overflow(page) <= 0, (name, width)
                page.close()
        page = browser.open(site / "index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("receptive field")
        page.wait_for_selector("text=/^[0-9]+ results/")
        foreign = [url for url in browser.requests if not url.startswith(site.as_uri())]
        assert not foreign and not browser.errors, (foreign, browser.errors)
