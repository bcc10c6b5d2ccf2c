"""Descriptions of the settings for people: `--help` texts and the reference page."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fullconv.config.training import GROUPS, RunConfig

_NAMES = {bool: "true or false", int: "integer", float: "number", str: "text"}


def help_text(name: str) -> str:
    """Return the description of a setting with its default, as an option's help shows it."""
    field = RunConfig.model_fields[name]
    return f"{field.description} [default: {default_of(field)}]"


def default_of(field: FieldInfo) -> str:
    """Return the default of a setting in words, e.g. "40" or "0.25 without weights, 1 with"."""
    if field.is_required():
        return "required"
    extra = field.json_schema_extra
    if field.default is None and isinstance(extra, dict):
        return str(extra["default_text"])
    return _plain(field.default)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the values of a setting that is one of a few words; empty for others."""
    if get_origin(field.annotation) is not Literal:
        return ()
    return tuple(map(str, get_args(field.annotation)))


def settings_reference() -> str:
    """Return the reference of all training settings: a Markdown table for each group."""
    tables = []
    for group in GROUPS:
        title, _, summary = (group.__doc__ or "").partition(": ")
        rows = [_row(name, field) for name, field in group.model_fields.items()]
        if title == "Data":
            rows = [_row("data", RunConfig.model_fields["data"]), *rows]
        summary = f"{summary[:1].upper()}{summary[1:]}"
        header = "| setting | type | default | range | meaning |\n|---|---|---|---|---|"
        tables.append("\n".join([f"## {title}\n\n{summary}\n\n{header}", *rows]))
    return "\n\n".join(tables) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    texts = (
        " or ".join(dict.fromkeys(_types(field.annotation))),
        default_of(field),
        _range(field),
        field.description or "",
    )
    cells = [text.replace("|", r"\|") for text in texts]
    return f"| `{name}` | {' | '.join(cells)} |".replace("|  |", "| |")


def _types(annotation: Any) -> Iterator[str]:
    """Yield the types that a value may have, in words; None (the default) is left out."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _types(arguments[0])
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _types(argument)
    elif origin is Literal:
        yield from (f"`{value}`" for value in arguments)
    elif origin is tuple and arguments[-1] is ...:
        (inner,) = _types(arguments[0])
        yield f"list of {inner}s" if inner != "text" else "list of names"
    elif origin is tuple:
        (inner,) = set(_types(arguments[0]))
        yield f"[{', '.join([inner] * len(arguments))}]"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "mapping"
    elif annotation is not NoneType:
        yield _NAMES[annotation]


def _range(field: FieldInfo) -> str:
    """Return the bounds of a number as an interval: "[0, 1)", "> 0"."""
    low = high = ""
    opening, closing = "(", ")"
    for bound in _bounds(field.annotation, field.metadata):
        if isinstance(bound, Ge):
            low, opening = _plain(bound.ge), "["
        elif isinstance(bound, Gt):
            low = _plain(bound.gt)
        elif isinstance(bound, Le):
            high, closing = _plain(bound.le), "]"
        elif isinstance(bound, Lt):
            high = _plain(bound.lt)
    if low and high:
        return f"{opening}{low}, {high}{closing}"
    return f"{'≥' if opening == '[' else '>'} {low}" if low else ""


def _bounds(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """Yield the constraints of a field, and those of the numbers inside it."""
    yield from metadata
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
    elif get_origin(annotation) is Annotated:
        yield from _bounds(get_args(annotation)[0], [])
        for inner in get_args(annotation)[1:]:
            yield from _bounds(inner, [])
    elif get_origin(annotation) in (Union, UnionType, tuple):
        for inner in get_args(annotation):
            yield from _bounds(inner, [])


def _plain(value: Any) -> str:
    """Return a value as YAML has it: true, 0.5, [0.75, 1.5]."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if value > 9999 else str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]" if value else "none"
    return str(value)
