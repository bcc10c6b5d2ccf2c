"""Check what is read back from job files and lists, which anyone may have written."""

import json
from dataclasses import fields
from typing import Any, TypeVar, get_args, get_origin

from fullconv.io.text import parse_json

Value = TypeVar("Value")

MAX_LINE = 16 * 2**20  # characters of one JSON text; a record has a few hundred


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        ValueError: the text is not JSON, is nested too deep, or is not an object.
    """
    if len(text) > MAX_LINE:
        raise ValueError(f"{len(text):,} characters")
    try:
        values = parse_json(text, file_names=True)
    except json.JSONDecodeError as error:
        raise ValueError("broken JSON") from error
    if not isinstance(values, dict):
        raise ValueError("no object in braces")
    return values


def check_types(value: Value) -> Value:
    """Return a dataclass as it is, after checking that its attributes have their declared types.

    Raises:
        ValueError: one of them has another type.
    """
    for field in fields(value):  # type: ignore[arg-type]
        if not _is_a(getattr(value, field.name), field.type):
            raise ValueError(f"another type of {field.name}")
    return value


def _is_a(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is dict:
        return isinstance(value, dict) and all(
            _is_a(key, arguments[0]) and _is_a(item, arguments[1]) for key, item in value.items()
        )
    if origin is tuple and arguments[-1] is Ellipsis:
        return isinstance(value, tuple) and all(_is_a(item, arguments[0]) for item in value)
    if origin is tuple:
        return (
            isinstance(value, tuple)
            and len(value) == len(arguments)
            and all(map(_is_a, value, arguments))
        )
    return type(value) is kind  # a bool is no int here
