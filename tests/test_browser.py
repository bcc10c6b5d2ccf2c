"""The checks of pages find what is wrong with a page."""

import pytest

from browser import check_page, contrasts, overflow, policy

pytestmark = pytest.mark.slow

PAGE = "<!doctype html><html lang='en'><title>x</title><style>{style}</style><body>{body}</body>"
POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:">'
SCHEMES = '<meta name="color-scheme" content="light dark">'


@pytest.fixture
def write(tmp_path):
    def call(body="<p>text</p>", style=""):
        path = tmp_path / "page.html"
        path.write_text(PAGE.format(style=style, body=body))
        return path

    return call


def test_a_plain_page_with_a_policy_passes(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><title>x</title>{SCHEMES}{POLICY}<p>text</p>")
    check_page(browser, page)


def test_a_page_without_a_policy_is_refused(browser, write):
    with pytest.raises(AssertionError, match="no Content-Security-Policy"):
        check_page(browser, write())


def test_requests_to_other_hosts_and_files_are_found(browser, write, tmp_path):
    (tmp_path / "other.css").write_text("")
    body = '<img alt="" src="http://192.0.2.1/a.png"><link rel="stylesheet" href="other.css">'
    browser.open(write(body)).close()
    assert sorted(url.rpartition("/")[2] for url in browser.requests) == ["a.png", "other.css"]
    assert browser.errors


def test_contrast_is_computed_through_transparent_colours(browser, write):
    style = "body { background: #fff } b { color: rgb(0 0 0 / 50%) } i { color: #fff }"
    page = browser.open(write("<b>half</b><i>none</i><s hidden>not shown</s>", style))
    (lowest, first), (middle, second) = contrasts(page)
    assert (first, second) == ("none", "half")
    assert lowest == pytest.approx(1) and middle == pytest.approx(3.95, abs=0.05)


def test_pages_wider_than_the_window_and_errors_are_found(browser, write):
    body = '<div style="width: 1200px">wide</div><script>throw Error("broken")</script>'
    page = browser.open(write(body), width=390)
    assert overflow(page) > 0 and browser.errors == ["broken"]


def test_the_policy_is_read():
    assert policy(POLICY) == {"default-src": "'none'", "img-src": "data:"}
