"""Tell JSON files apart by the keys of their outer object, reading only their beginning."""

import json
import re
from pathlib import Path

from fullconv.io.regular import open_regular

_HEAD = 2**20  # bytes that are read
_SPACE = re.compile(r"[\s\ufeff]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[\[\]{}]', re.DOTALL)


def top_keys(path: Path) -> dict[str, frozenset[str]]:
    """Return the keys of a file's outer object; key -> those of its value, or of its first element.

    They are looked for in the first megabyte. A file that cannot be read, or holds no object,
    has none.
    """
    try:
        with open_regular(path) as stream:
            text = stream.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return {}
    place = _end(_SPACE, text, 0)
    if not text.startswith("{", place):
        return {}
    keys: dict[str, frozenset[str]] = {}
    depth, key, inner, first = 0, "", set[str](), True
    # Strings hold braces too, so that everything is cut into strings and brackets.
    for token in _TOKEN.finditer(text, place):
        sign = token[0]
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            first = first and not (sign == "}" and depth == 2)
        elif _is_key(text, token.end()) and depth == 1:
            keys[key] = frozenset(inner)
            key, inner, first = _name(sign), set(), True
        elif first and 1 < depth < 4 and _is_key(text, token.end()):
            inner.add(_name(sign))
        if depth == 0:
            break
    keys[key] = frozenset(inner)
    keys.pop("", None)
    return keys


def _is_key(text: str, place: int) -> bool:
    return text.startswith(":", _end(_SPACE, text, place))


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _name(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]
