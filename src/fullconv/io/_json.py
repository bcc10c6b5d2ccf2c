"""Parse JSON whose depth, numbers and characters are bounded."""

import json
import math
import re
from typing import Any

import numpy as np

from fullconv.io._bounds import MAX_DEPTH, MAX_DIGITS, parse_integer, too_deep

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
# Every digit as 0; with plus signs removed, e000 begins a large exponent.
_DIGITS_TO_0 = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_NUMBER = re.compile(rf"[-+\d.eE]*\d{{{MAX_DIGITS},}}[-+\d.eE]*|[-\d.]+[eE]\+?\d{{3,}}")
# One half of a surrogate pair is not a character: it cannot be printed or written to a file.
_HALF_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


def parse(text: str, file_names: bool = False) -> Any:
    """Parse JSON.

    Args:
        text: the JSON.
        file_names: allow half characters, which stand for the bytes of names that are not UTF-8.

    Raises:
        ValueError: it is broken, too deep, or holds a key twice, a number beyond 64 bits or half a
            character. The message is one line; a JSONDecodeError knows the line and the column.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise too_deep() from None
    except ValueError as error:
        if "int_max_str_digits" in str(error):  # Python's words for an integer of 4300 digits
            raise ValueError("an integer exceeds 64 bits") from None
        raise
    _check_plain_part(_STRING.sub("", text).encode("ascii"))
    if not file_names and r"\u" in text and _HALF_CHARACTER.search(text.replace(r"\\", "")):
        raise ValueError("a text holds half of a surrogate pair, which is not a character")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is given twice in one object")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _depth(brackets: bytes) -> int:
    signs = np.frombuffer(brackets, np.uint8)
    opens = (signs == ord("[")) | (signs == ord("{"))
    return int(np.where(opens, 1, -1).cumsum().max())


def _check_plain_part(text: bytes) -> None:
    """Check the depth and the numbers of JSON without its strings."""
    brackets = text.translate(None, _NO_BRACKETS)
    if len(brackets) > MAX_DEPTH and _depth(brackets) > MAX_DEPTH:
        raise too_deep()
    digits = text.translate(_DIGITS_TO_0, b"+")
    if b"0" * MAX_DIGITS not in digits and b"e000" not in digits:
        return  # usually; the search below is slow
    for match in _LONG_NUMBER.finditer(text.decode("ascii")):
        if not set(match[0]) & set(".eE"):
            parse_integer(match[0])
        elif math.isinf(float(match[0])):
            raise ValueError(f"the number {match[0][:30]} is too large")
