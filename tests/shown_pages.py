"""Pages with a model in a browser: choose photos, wait, and read what the page has found."""

import base64
import io
import time

import numpy as np
from PIL import Image


def noise(height=71, width=93, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(kind, picture=None, **options):
    stream = io.BytesIO()
    (picture or Image.fromarray(noise())).save(stream, kind, **options)
    return stream.getvalue()


def opened(browser, page, **options):
    shown = browser.open(page, **options)
    shown.wait_for_selector("html[data-check]", state="attached")
    assert shown.evaluate("document.documentElement.dataset.check") == "passed"
    return shown


def wait_until(condition, seconds=60):
    """Wait until a condition holds, without code in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition does not become true"
        time.sleep(0.05)


def choose(shown, **files):
    given = [{"name": n, "mimeType": "image/png", "buffer": c} for n, c in files.items()]
    shown.set_input_files("#files", given)
    busy = "fullconv.queue.items.some((item) => !['done', 'failed'].includes(item.state))"
    wait_until(lambda: not shown.evaluate(busy))


def labels_of(shown, number=0):
    text = shown.evaluate(
        f"fullconv.queue.mask(fullconv.queue.items[{number}])"
        ".then((mask) => btoa(String.fromCharCode(...mask)))"
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def downloaded(shown, kind):
    with shown.expect_download() as download:
        shown.click(f"[data-download={kind}]")
    return download.value.suggested_filename, download.value.path().read_bytes()
