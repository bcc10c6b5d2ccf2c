"""Write a page (.html) that segments photos in a browser: one file with the model, offline."""

import base64
import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from fullconv.config import Size
from fullconv.errors import ExportError
from fullconv.export.exporters import Exporter, Images, exporters
from fullconv.export.exporters import onnx as onnx_exporter
from fullconv.export.page import browser
from fullconv.export.page.bundle import local_page
from fullconv.export.page.runtime import web_runtime
from fullconv.export.page.self_check import self_check
from fullconv.export.parity import compare_runs
from fullconv.inference.runtimes.description import BrowserCheck
from fullconv.inference.runtimes.page import (
    MODEL,
    SETTINGS,
    open_page,
    read_element,
    replace_element,
)
from fullconv.io.text import parse_json
from fullconv.pages.html import pack, to_json
from fullconv.units import format_bytes

LARGEST = 128 * 2**20
"""Bytes of the graph and its weights; browsers open larger pages slowly or not at all."""


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the page with the network's graph, without a description."""
    graph = path.with_name("network.onnx")
    onnx_exporter.write(network, graph, size)
    write_page(graph, path)


def write_page(graph: Path, path: Path) -> None:
    """Write the page around an .onnx file.

    Raises:
        ExportError: the file is too large, or ONNX Runtime Web is not at hand.
    """
    content = graph.read_bytes()
    if len(content) > LARGEST:
        raise ExportError(
            f"the network has {format_bytes(len(content))}, and a page takes at most "
            f"{format_bytes(LARGEST)}; add --int8, or train a smaller network"
        )
    runtime = web_runtime()
    data = {
        "wasm": pack(runtime.wasm),
        MODEL: pack(content),
        "licence-texts": pack(runtime.notices.encode()),
    }
    page = local_page({"description": None}, data, runtime.script)
    path.write_text(page, encoding="utf-8")


def stamp(path: Path, description: str) -> None:
    """Add the description, and a photo with its labels, which the page checks itself with."""
    page = path.read_text(encoding="utf-8")
    known: Any = parse_json(description)
    check = self_check(path, known)
    settings = {"name": path.stem, "description": known, "check": check}
    page = replace_element(page, SETTINGS, to_json(settings))
    path.write_text(page, encoding="utf-8")


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the page in int8."""
    exact, small = source.with_name("fp32.onnx"), source.with_name("int8.onnx")
    page = source.read_text(encoding="utf-8")
    exact.write_bytes(gzip.decompress(base64.b64decode(read_element(page, MODEL))))
    onnx_exporter.quantize(exact, small, images)
    write_page(small, target)


def try_out(path: Path, images: Iterable[Float[np.ndarray, "1 3 _ _"]]) -> BrowserCheck | None:
    """Open the page in Chromium, and compare its scores with those of ONNX Runtime.

    Returns:
        The differences; None if no browser starts.

    Raises:
        ExportError: the page does not work, or its self-check fails.
    """
    run = open_page(path).run
    try:
        with browser.open_page(path) as opened:
            if opened.check != "passed":
                raise ExportError(
                    f"the page's self-check failed in {opened.name} ({opened.check}): no file was "
                    "written"
                )
            worst, changes = compare_runs(run, opened.scores, images)
            return BrowserCheck(browser=opened.name, difference=worst, label_changes=changes)
    except browser.NoBrowserError:
        return None


exporters.register("page")(
    Exporter(
        suffix=".html",
        write=write,
        stamp=stamp,
        quantize=quantize,
        try_out=try_out,
    )
)
