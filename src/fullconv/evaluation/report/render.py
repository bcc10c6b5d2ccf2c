"""Render the HTML templates: self-contained pages, with every text escaped."""

from base64 import b64encode

from jinja2 import Environment, PackageLoader, StrictUndefined

from fullconv.evaluation.metrics import format_percent


def render(template: str, **values: object) -> str:
    """Return the HTML of a template in `templates/`."""
    environment = Environment(
        loader=PackageLoader("fullconv.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": format_percent, "uri": _data_uri}
    return environment.get_template(template).render(**values)


def _data_uri(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(image).decode()}"
