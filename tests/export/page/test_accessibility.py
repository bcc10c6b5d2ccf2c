"""The page has no accessibility problem that axe-core knows, in any of its states."""

import pytest

from accessibility import fetch_axe, violations
from shown_pages import choose, encoded, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    return fetch_axe(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser, page, axe, locale, dark):
    shown = opened(browser, page, locale=locale, dark=dark)
    assert violations(shown, axe) == []
    choose(shown, **{"a.png": encoded("PNG"), "b.png": encoded("PNG"), "c.gif": b"GIF89a"})
    assert violations(shown, axe) == []
    shown.check("input[name=tool][value=brush]")
    shown.click("#licences summary")
    assert violations(shown, axe) == []
    shown.close()


def test_axe_finds_nothing_on_a_phone(browser, page, axe):
    shown = opened(browser, page, width=360, height=640)
    choose(shown, **{"a.png": encoded("PNG")})
    assert violations(shown, axe) == []
    shown.close()


def test_a_problem_is_found(browser, page, axe):
    shown = opened(browser, page)
    shown.evaluate("document.getElementById('choose').textContent = ''")
    assert any(text.startswith("button-name") for text in violations(shown, axe))
    shown.close()
