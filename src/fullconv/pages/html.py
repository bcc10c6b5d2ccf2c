"""Put a page into one file: its scripts, its Content-Security-Policy, its data.

The code is ES2022 modules in a package's `assets/`, and those of this package, which pages share.
"""

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

NONE = "default-src 'none'; base-uri 'none'; form-action 'none'; "
"""The policy of a page that admits nothing; directives for what it holds are added to it."""

_IMPORT = re.compile(r"^import\b[^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@cache
def read_asset(package: str, name: str) -> str:
    """Return a file of a package's `assets/`."""
    return files(package).joinpath("assets", name).read_text(encoding="utf-8")


def shared_asset(name: str) -> str:
    """Return a file that pages of several packages use, such as "base.css"."""
    return read_asset(__package__, name)


def shared_assets() -> frozenset[str]:
    """Return the names of the files that pages of several packages use."""
    return frozenset(path.name for path in files(__package__).joinpath("assets").iterdir())


def without_imports(module: str) -> str:
    """Return a module's code as a part of a script that holds what it imports before it."""
    return _EXPORT.sub("", _IMPORT.sub("", module))


def own_scope(text: str) -> str:
    """Return a script whose names are seen by no other one."""
    return f"(() => {{\n{text}}})();\n"


def digest(text: str) -> str:
    """Return the source expression of a policy that admits a script or style with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy_element(directives: str) -> str:
    """Return the element that gives a page its policy: `NONE` and these directives."""
    return f'<meta http-equiv="Content-Security-Policy" content="{NONE}{directives}">'


def data_element(name: str, text: str) -> str:
    """Return an element that holds data, which a script finds by its id.

    Raises:
        ValueError: an HTML parser would end the element inside of the text.
    """
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"the text of {name} would end its element")
    return f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'


def to_json(value: Any) -> str:
    """Return JSON that no HTML parser takes for the end of an element."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")


def pack(content: bytes) -> str:
    """Return bytes as base64 of gzip; equal bytes give equal text."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def fill(template: str, parts: Iterable[tuple[str, str]]) -> str:
    """Replace {{name}} in a template by texts, in their order."""
    for name, text in parts:
        template = template.replace(f"{{{{{name}}}}}", text)
    return template
