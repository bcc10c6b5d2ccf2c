"""Run the model inside a page (.html) with ONNX Runtime: the same graph that a browser runs."""

import base64
import gzip
import json
import re
import zlib
from pathlib import Path

from fullconv.errors import WeightsError
from fullconv.inference.runtimes import Opened, Runtime, runtimes
from fullconv.inference.runtimes.onnx import open_onnx
from fullconv.io.atomic import scratch

MODEL, SETTINGS = "onnx", "settings"  # ids of the elements that hold them


def open_page(path: Path) -> Opened:
    """Open the model inside a page.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: it is no page of `fullconv export`, or its model cannot be run.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such model file")
    page = path.read_text(encoding="utf-8", errors="replace")
    try:
        settings = json.loads(read_element(page, SETTINGS))
        model = gzip.decompress(base64.b64decode(read_element(page, MODEL), validate=True))
        description = settings["description"]
    except (ValueError, LookupError, TypeError, EOFError, OSError, zlib.error) as error:
        raise WeightsError(
            f"{path}: not a page that `fullconv export` wrote, or it is damaged; export it again"
        ) from error
    with scratch() as folder:
        file = folder / "model.onnx"
        file.write_bytes(model)
        try:
            run = open_onnx(file).run
        except WeightsError as error:
            raise WeightsError(str(error).replace(str(file), str(path))) from error
    return Opened(run, None if description is None else json.dumps(description))


def read_element(page: str, name: str) -> str:
    """Return the text of an element that holds data; a long text is in several: NAME, NAME-1, ...

    Raises:
        LookupError: there is no such element.
    """
    pieces = _pieces(page, name)
    if not pieces:
        raise LookupError(name)
    return "".join(piece[1] for piece in pieces)


def replace_element(page: str, name: str, text: str) -> str:
    """Return the page with another text in an element that holds data.

    Args:
        page: its text.
        name: of an element with a short text, in one piece.
        text: without "<".

    Raises:
        LookupError: there is no such element.
    """
    pieces = _pieces(page, name)
    if len(pieces) != 1:
        raise LookupError(name)
    (start, end) = pieces[0].span(1)
    return page[:start] + text + page[end:]


def _pieces(page: str, name: str) -> list[re.Match[str]]:
    element = rf'<script type="text/plain" id="{name}(?:-\d+)?">([^<]*)</script>'
    return list(re.finditer(element, page))


runtimes.register("page")(Runtime(".html", "ONNX Runtime", open_page))
