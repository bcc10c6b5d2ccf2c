"""Open pages in the system's Chromium as a user would, and record what they do wrong.

`conftest.py` has the fixture `browser`. Tests that use it are slow ones.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = 390  # pixels; width of a common phone
DESKTOP = 1100

# Each text that is visible with its contrast to the background (WCAG 2.2), the lowest first.
_CONTRASTS = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const blend = (top, below) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((i) => alpha * top[i] + (1 - alpha) * below[i]);
  };
  const luminance = (color) => {
    const linear = color.map((value) => value / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    if (!element) return matchMedia("(prefers-color-scheme: dark)").matches
      ? [18, 18, 18] : [255, 255, 255];
    return blend(parse(getComputedStyle(element).backgroundColor),
      background(element.parentElement));
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
      .map((node) => node.textContent.trim()).join(" ").trim();
    if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
    const below = background(element);
    const pair = [blend(parse(getComputedStyle(element).color), below), below]
      .map(luminance).sort((a, b) => b - a);
    found.push([(pair[0] + 0.05) / (pair[1] + 0.05), text.slice(0, 60)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


class Browser:
    """A browser whose pages cannot reach any other host.

    Attributes:
        errors: messages of pages' consoles that are errors or warnings, and exceptions.
        requests: addresses that pages asked for, except those of their own host or file.
    """

    def __init__(self, chromium):
        self.chromium = chromium
        self.errors: list[str] = []
        self.requests: list[str] = []

    def open(self, address, *, width=DESKTOP, height=800, dark=False, **context):
        """Open a file or an address, and return Playwright's page.

        Args:
            address: path of a file, or a URL.
            width: of the window, in pixels.
            height: of the window, in pixels.
            dark: whether the user prefers dark colours.
            context: more options of Playwright's `new_page`.
        """
        own = address.resolve().as_uri() if isinstance(address, Path) else address
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": height}
        page = self.chromium.new_page(viewport=size, color_scheme=scheme, **context)
        page.set_default_timeout(10_000)
        page.on("request", lambda request: self._record(request.url, own))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._read(message.type, message.text))
        page.goto(own)
        return page

    def _record(self, url, own):
        one, other = urlsplit(url), urlsplit(own)
        inside = one.scheme in ("data", "blob") or (
            url.partition("#")[0] == own.partition("#")[0]
            if other.scheme == "file"
            else one[:2] == other[:2]
        )
        if not inside:
            self.requests.append(url)

    def _read(self, kind, text):
        if kind in ("error", "warning"):
            self.errors.append(text)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; skip the test without it.

    While it is open, the thread has a running event loop, so `asyncio.run` does not work.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("needs Chromium (apt-get install chromium), which is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (make setup)")
    # Chromium's sandbox needs privileges that containers lack; pages here are our own.
    options = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a camera
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()


def contrasts(page) -> list[tuple[float, str]]:
    """Return the contrast and the beginning of each visible text, the lowest contrast first.

    Pictures behind a text are not looked at. 4.5 is what WCAG 2.2 expects of normal text (AA).
    """
    return [(contrast, text) for contrast, text in page.evaluate(_CONTRASTS)]


def overflow(page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def check_page(browser, address, **context):
    """Check what every page has to do, on a phone and a desktop, in light and dark colours.

    No text without contrast, no scrolling sideways, no request and no error; and for a file a
    policy that admits nothing from outside and no other style or script than those of the page.
    """
    if isinstance(address, Path):
        directives = policy(address.read_text())
        assert directives["default-src"] == "'none'"
        assert {*directives["img-src"].split()} <= {"data:", "blob:"}  # pictures of the page itself
        # WebAssembly needs an exception of its own, which admits no script as text.
        assert "unsafe" not in str(directives).replace("'wasm-unsafe-eval'", "")
    for width in (PHONE, DESKTOP):
        for dark in (False, True):
            page = browser.open(address, width=width, dark=dark, **context)
            assert overflow(page) <= 0, f"{width} px: wider than the window"
            low = [item for item in contrasts(page) if item[0] < 4.5]
            assert not low, f"{'dark' if dark else 'light'}: {low}"
            page.close()
    assert not browser.requests and not browser.errors, (browser.requests, browser.errors)


def policy(html: str) -> dict[str, str]:
    """Return the directives of a page's Content-Security-Policy."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert found, "the page has no Content-Security-Policy"
    parts = (part.strip().partition(" ") for part in found[1].split(";"))
    return {name: value for name, _, value in parts}
