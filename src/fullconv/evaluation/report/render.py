"""Render the HTML templates: self-contained pages, with every text escaped.

Each page has `static/page.css`, its own style sheets and perhaps a script, all inline. Its policy
lets the browser use these, by their hashes, and pictures in the page; nothing else.
"""

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from fullconv.evaluation.metrics import format_percent
from fullconv.pages.html import NONE, digest

PACKAGE = "fullconv.evaluation.report"


def render(
    template: str, *, styles: Sequence[str] = (), scripts: Sequence[str] = (), **values: object
) -> str:
    """Return the HTML of a template in `templates/`.

    Args:
        template: name of the file.
        styles: style sheets in `static/` besides `page.css`.
        scripts: JavaScript in `static/`, run after the page is read.
        values: variables of the template.
    """
    environment = Environment(
        loader=PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": format_percent, "uri": _data_uri}
    style, script = _static(["page.css", *styles]), _static(scripts)
    page = {"style": style, "script": script, "policy": _policy(style, script)}
    return environment.get_template(template).render(**page, **values)


def _static(names: Sequence[str]) -> str:
    folder = files(PACKAGE) / "static"
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def _policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that admits only what the page holds."""
    parts = [f"{NONE}img-src data:"]
    kinds = (("style-src", style), ("script-src", script))
    parts += [f"{kind} {digest(text)}" for kind, text in kinds if text]
    return "; ".join(parts)


def _data_uri(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
