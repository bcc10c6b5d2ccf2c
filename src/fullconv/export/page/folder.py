"""The page as a folder for static hosting: the files of a page that was exported and verified."""

import base64
import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fullconv.errors import ExportError, OutputError
from fullconv.export.exporters import onnx as onnx_exporter
from fullconv.export.page import browser
from fullconv.export.page.bundle import hosted_page
from fullconv.export.page.runtime import web_runtime
from fullconv.export.page.self_check import draw_photo
from fullconv.export.parity import TOLERANCE, compare_runs
from fullconv.inference.runtimes.description import BrowserCheck, Description
from fullconv.inference.runtimes.onnx import open_onnx
from fullconv.inference.runtimes.page import MODEL, SETTINGS, read_element
from fullconv.io.atomic import building, staging

LICENCES = "licence-texts"
INDEX, MODEL_FILE, WASM, WORKER, HEADERS = (
    "index.html",
    "model.onnx",
    "runtime.wasm",
    "worker.js",
    "_headers",
)
NAMES = frozenset({INDEX, MODEL_FILE, WASM, WORKER, HEADERS})

# Read by Netlify, Cloudflare Pages and others; the policy itself is in the page.
_HEADERS = """/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
  Content-Security-Policy: frame-ancestors 'none'
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
"""
_SIZES = ((47, 63), (33, 95), (81, 59))  # of the pictures to compare on, if they are free


@contextmanager
def exported_folder(folder: Path) -> Iterator[Path]:
    """Yield the path of a page to export; afterwards write its parts as a folder.

    A folder that an earlier export has written is replaced.

    Args:
        folder: to be created.

    Raises:
        OutputError: the folder holds other files, or cannot be written.
    """
    check_replaceable(folder)
    with staging(folder) as place:
        page = place / f"{folder.resolve().name}.html"
        yield page
        finished = place / "finished"
        finished.mkdir()
        write_folder(page, finished)
        verify_folder(finished)
        check_replaceable(folder)  # since minutes have passed
        if folder.exists():
            shutil.move(folder, place / "earlier")
        with building(folder) as new:
            for name in sorted(NAMES):
                shutil.move(finished / name, new / name)


def check_replaceable(folder: Path) -> None:
    """Check that a folder is missing, empty, or written by an earlier export.

    Raises:
        OutputError: it is a file, or holds other files, or not all of an export's.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder} is a file or a link; expected the name of a new folder")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if names and names != NAMES:
        others = ", ".join(sorted(names - NAMES)[:3])
        found = others or f"{min(names)} and no {min(NAMES - names)}"
        raise OutputError(
            f"{folder} holds {found}; expected a new folder, or one of an earlier export"
        )


def write_folder(page: Path, folder: Path) -> None:
    """Write the files of a page into a folder; the model is the .onnx file that a user can load."""
    text = page.read_text(encoding="utf-8")
    settings: Any = json.loads(read_element(text, SETTINGS))
    runtime = web_runtime()
    files = {"wasm": WASM, MODEL: MODEL_FILE, "worker": WORKER}
    licences = {LICENCES: read_element(text, LICENCES)}
    index, worker = hosted_page(settings | {"files": files}, licences, runtime.script)
    (folder / INDEX).write_text(index, encoding="utf-8")
    (folder / WORKER).write_text(worker, encoding="utf-8")
    (folder / WASM).write_bytes(runtime.wasm)
    (folder / HEADERS).write_text(_HEADERS, encoding="utf-8")
    content = gzip.decompress(base64.b64decode(read_element(text, MODEL)))
    (folder / MODEL_FILE).write_bytes(content)
    onnx_exporter.stamp(folder / MODEL_FILE, json.dumps(settings["description"]))


def verify_folder(folder: Path) -> BrowserCheck | None:
    """Open the folder's page in Chromium from a server, and compare its scores with ONNX Runtime's.

    Returns:
        The differences; None if no browser starts.

    Raises:
        ExportError: the page does not work, its self-check fails, or scores differ.
    """
    run = open_onnx(folder / MODEL_FILE)
    known = Description.checked(**json.loads(run.description or "{}"))
    try:
        with serve_folder(folder) as address, browser.open_address(address) as opened:
            if opened.check != "passed":
                raise ExportError(
                    f"the page's self-check failed in {opened.name} ({opened.check}): no folder "
                    "was written"
                )
            worst, changes = compare_runs(run.run, opened.scores, _pictures(known))
            if worst > TOLERANCE:
                raise ExportError(
                    f"the page's scores in {opened.name} differ from those of ONNX Runtime by "
                    f"{worst:.1e} of the largest: no folder was written"
                )
            return BrowserCheck(browser=opened.name, difference=worst, label_changes=changes)
    except browser.NoBrowserError:
        return None


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Serve a folder's files at a free port of this machine; yields the address."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _pictures(known: Description) -> Iterator[Float[np.ndarray, "1 3 H W"]]:
    free = [tuple(map(max, known.least, size)) for size in _SIZES]
    for height, width in [known.fixed] if known.fixed else free:
        planes = draw_photo(height, width).transpose(2, 0, 1)[None]
        yield np.ascontiguousarray(planes, np.float32)
