"""Opening of a page of `fullconv export MODEL page.html` in Chromium: times, blocking and sizes.

Run: python benchmarks/page.py PAGE.html [--times 5]. Needs playwright and Chromium.

- paint: the first paint.
- check: from opening the file until the self-check, which predicts a photo, has passed.
- photo: from choosing a photo of 360 x 480 to its prediction, after that.
- blocked: the longest task of the page's main thread; 0 if none is longer than 50 ms.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

import fullconv as fc
from fullconv.export.page import bundle
from fullconv.inference.runtimes.page import read_element
from fullconv.io.images import encode_jpeg

OBSERVE = """globalThis.tasks = [0]; new PerformanceObserver((list) =>
  tasks.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "longtask", buffered: true });"""
PAINT = "performance.getEntriesByName('first-paint')[0].startTime"


def measure(browser: Browser, address: str, photo: bytes) -> dict[str, float]:
    """Open the page once; return milliseconds."""
    page = browser.new_page()
    page.add_init_script(OBSERVE)
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-check]", state="attached", timeout=120_000)
    checked = time.perf_counter()
    assert page.evaluate("document.documentElement.dataset.check") == "passed"
    page.set_input_files("#files", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo})
    while not page.evaluate("fullconv.queue.items[0]?.state === 'done'"):
        time.sleep(0.005)
    found = {
        "paint": page.evaluate(PAINT),
        "check": 1000 * (checked - start),
        "photo": 1000 * (time.perf_counter() - checked),
        "blocked": page.evaluate("Math.max(...tasks)"),
    }
    page.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    text = given.page.read_text()
    sizes = {name: len(read_element(text, name)) for name in ("wasm", "onnx")}
    code = len(bundle.local_page({}, {}, "").encode())
    print(
        f"sizes     file {len(text) / 1e6:.1f} MB: runtime {sizes['wasm'] / 1e6:.1f} MB, model "
        f"{sizes['onnx'] / 1e6:.1f} MB, code of fullconv {code:,} bytes"
    )
    photo = encode_jpeg(fc.open_data("scenes:1@360x480")[0].image)
    runs = []
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(given.page, folder)
        for _ in range(given.times):
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            runs.append(measure(browser, Path(copy).as_uri(), photo))
            browser.close()
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"{name:9} median {median(values):.0f} ms, largest {max(values):.0f} ms")


if __name__ == "__main__":
    main()
