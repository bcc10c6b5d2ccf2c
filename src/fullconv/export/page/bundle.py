"""Put the page together: one HTML file without references to others.

The code is ES2022 modules in `assets/`, which tests import as they are. In the page they are joined
into four scripts: `core` (decoding, label maps), which the page and its workers share, the page's
own, and those of the workers. Only imports, comments and blanks are removed.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from fullconv.pages import html
from fullconv.pages.html import NONE, data_element, digest, own_scope, policy_element, to_json

CORE = ("bytes", "png", "photos", "maps", "calls")
WORKER = ("scaling", "worker")
HELPER = ("archive", "regions", "dataset", "helper")
PARTS = ("editing", "downloads", "queue", "view", "app")
TEXTS = ("language", "messages")
# The modules of the page's own script.
LOCAL = (*TEXTS, "helping", "local", *PARTS)
HOSTED = (*TEXTS, "helping", "local", "hosted", *PARTS)
SERVED = (*TEXTS, "helping", "server", *PARTS)
PIECE = 2**20  # characters of an element; a browser parses each without a pause
SETTINGS = "settings"  # id of the element that holds the page's settings

_INDENTATION = re.compile(r"^\s+", re.MULTILINE)
_LINE_END = re.compile(r"([,;{}(\[=?:&|<>])\n")  # where a statement continues, or has ended
_LITERAL = r"""(?P<literal> "(?:[^"\\\n]|\\.)*" | `(?:[^`\\]|\\.)*`
        | (?:(?<=[(,=:])|(?<=[(,=:][ ]))/(?:[^/*\\\n\[]|\\.|\[[^\]\n]*\])+/ )"""
# A comment; a string, template or regular expression, which stays; or blanks at punctuation.
_TOKEN = re.compile(
    rf"""[ ]?/\*\*.*?\*/[ ]? | [ ]*//[^\n]* | {_LITERAL}
    | [ ]?(?P<mark>[=!,;{{}}()\[\]?:&|<>*%]|/(?![*/])|\+(?![ ]?\+)|-(?![ ]?-))[ ]?""",
    re.VERBOSE | re.DOTALL,
)
# What has a shorter form: "const", "true", "0.5", ";" before "}", a comma after the last value,
# brackets around a single parameter, and around a value that was cast to a type.
_SHORTER = re.compile(
    rf"{_LITERAL} | \b(?P<const>const)\b | [;,](?P<close>}}) | ,(?=\)) | (?<![\w$.])0(?=\.\d)"
    r"| (?<![\w$.])(?P<truth>true|false)(?![\w$:])"
    r"| (?<![\w$])\((?P<one>\w+)\)=>"
    r"| =\((?P<cast>(?:new[ ])?[\w.?]+(?:\([^()\n]*\))?|\[\])\)(?=[;,)])",
    re.VERBOSE | re.DOTALL,
)
# What `_join_declarations` looks at: literals, brackets, declarations, ends of statements.
_PIECE = re.compile(
    rf"""{_LITERAL} | (?P<open>[(\[{{]) | (?P<close>[)\]}}]) | (?P<next>;let\b(?P<blank>[ ]?))
    | (?P<let>\blet\b) | (?P<end>[;\n]) | [^"`/()\[\]{{}};\nl]+ | .""",
    re.VERBOSE | re.DOTALL,
)
# Tags that a parser adds by itself.
_IMPLIED = re.compile(r"</option>(?=\s*<(?:/select|option)\b)|</?(?:head|body)>\n|</html>\n")
_QUOTED = re.compile(r'="([\w/*-]+)"')  # attributes that need no quotation marks


def read_asset(name: str) -> str:
    """Return a file of the page's code, which may be one that it shares with other pages."""
    if name in html.shared_assets():
        return html.shared_asset(name)
    return html.read_asset(__package__, name)


@cache
def join_modules(names: tuple[str, ...]) -> str:
    """Return modules as one script, in which each may use the names of those before it."""
    return "".join(map(_plain, names))


def _plain(name: str) -> str:
    text = html.without_imports(read_asset(f"{name}.js"))
    text = _TOKEN.sub(lambda found: found["literal"] or found["mark"] or "", text)
    text = _LINE_END.sub(r"\1", _INDENTATION.sub("", text))
    return _join_declarations(_SHORTER.sub(_shorten, text))


def _shorten(found: re.Match[str]) -> str:
    if found["const"]:
        return "let"
    if found["truth"]:
        return "!0" if found["truth"] == "true" else "!1"
    if found["cast"]:
        return f"={found['cast']}"
    return f"{found['one']}=>" if found["one"] else found["close"] or found["literal"] or ""


def _join_declarations(text: str) -> str:
    """Return the code with "let a=1;let b=2" as "let a=1,b=2"."""
    depth, declares, parts = 0, {0: False}, []
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found["open"]:
            depth += 1
            declares[depth] = False
        elif found["close"]:
            depth -= 1
        elif found["let"]:
            declares[depth] = True
        elif found["next"]:
            piece = "," if declares[depth] else f";let{found['blank']}"
            declares[depth] = True
        elif found["end"]:
            declares[depth] = False
        parts.append(piece)
    return "".join(parts)


def local_page(settings: Mapping[str, Any], data: Mapping[str, str], runtime: str) -> str:
    """Return a page with a model inside, which makes no request.

    Args:
        settings: for `LocalSource` in `assets/local.js`.
        data: id -> text of further elements, base64 each: "wasm", "onnx", "licence-texts".
        runtime: ONNX Runtime Web as a classic script.
    """
    elements = {SETTINGS: to_json(settings), **data, "worker": _worker(runtime)}
    return _own_page(elements, LOCAL, "'none'")


def hosted_page(
    settings: Mapping[str, Any], data: Mapping[str, str], runtime: str
) -> tuple[str, str]:
    """Return a page that loads the model from files beside it, and the script of its worker.

    Args:
        settings: as for `local_page`, with "files": "wasm", "onnx" and "worker" -> file name.
        data: as for `local_page`, without these.
        runtime: ONNX Runtime Web as a classic script.
    """
    elements = {SETTINGS: to_json(settings), **data}
    return _own_page(elements, HOSTED, "'self'"), _worker(runtime)


def _worker(runtime: str) -> str:
    return f"{runtime}\n{own_scope(join_modules(WORKER))}"  # after the core's text


def _own_page(elements: Mapping[str, str], modules: tuple[str, ...], connect: str) -> str:
    """Return a page that has its Content-Security-Policy inside."""
    core, app, style = join_modules(CORE), own_scope(join_modules(modules)), _plain_style()
    directives = (
        f"connect-src {connect}; script-src {digest(core)} {digest(app)} 'wasm-unsafe-eval' blob:; "
        f"worker-src blob:; style-src {digest(style)}; img-src blob: data:; media-src blob:"
    )
    return _fill(elements, style, core, app, policy_element(directives), "")


def served_page(settings: Mapping[str, Any], nonce: str) -> tuple[str, str]:
    """Return a page whose predictions come from its server, and its Content-Security-Policy.

    Args:
        settings: for `ServerSource` in `assets/server.js`.
        nonce: random for each response, of letters and digits.
    """
    policy = (
        f"{NONE}connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "worker-src blob:; img-src blob: data:; media-src blob:; frame-ancestors 'none'"
    )
    core, app = join_modules(CORE), own_scope(join_modules(SERVED))
    elements = {SETTINGS: to_json(settings)}
    return _fill(elements, _plain_style(), core, app, "", f' nonce="{nonce}"'), policy


def _fill(
    elements: Mapping[str, str], style: str, core: str, app: str, meta: str, nonce: str
) -> str:
    parts = [part for name, text in elements.items() for part in _data_elements(name, text)]
    parts.append(data_element("helper", own_scope(join_modules(HELPER))))
    parts.append(f'<script id="core"{nonce}>{core}</script>')
    given = {"policy": meta, "nonce": nonce, "style": style, "parts": "\n".join(parts)}
    template = _IMPLIED.sub("", _INDENTATION.sub("", read_asset("page.html")))
    template = _QUOTED.sub(r"=\1", template)
    return html.fill(template, (given | {"script": app}).items())


def _data_elements(name: str, text: str) -> list[str]:
    """Return the elements of a text: "wasm", "wasm-1", "wasm-2", ...; `read_element` joins them."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    names = [f"{name}-{number}" if number else name for number in range(len(pieces))]
    return list(map(data_element, names, pieces))


def _plain_style() -> str:
    text = _INDENTATION.sub("", read_asset("base.css") + read_asset("page.css"))
    text = re.sub(r"\s*([,;{}])\s*", r"\1", text)
    return text.replace(": ", ":").replace(";}", "}")
