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
    """Return the text of an element that holds data.

    Raises:
        LookupError: there is no such element.
    """
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    if found is None:
        raise LookupError(name)
    return found[1]


def replace_element(page: str, name: str, text: str) -> str:
    """Return the page with another text in an element that holds data; `text` has no "<"."""
    old = read_element(page, name)
    start = f'<script type="text/plain" id="{name}">'
    return page.replace(f"{start}{old}</script>", f"{start}{text}</script>", 1)


runtimes.register("page")(Runtime(".html", "ONNX Runtime", open_page))
