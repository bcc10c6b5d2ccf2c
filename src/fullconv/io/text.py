"""Read text, YAML, JSON and XML files, with errors that name the line."""

import json
import re
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import yaml

from fullconv.errors import DataError
from fullconv.units import format_bytes

Kind = TypeVar("Kind")


def read_utf8(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        DataError: the file cannot be opened, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 text ({error.reason} at byte {error.start})",
            remedy="save it as UTF-8",
            where=path,
        ) from error
    except OSError as error:
        raise DataError(
            f"cannot be opened ({error.strerror or error})",
            where=path,
        ) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        DataError: the file is not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(read_utf8(path))
    except yaml.YAMLError as error:
        raise DataError(
            f"not readable as YAML ({_describe(error)})",
            remedy="correct it",
            where=path,
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            "YAML without keys", expected="keys such as train, val and names", where=path
        )
    return {str(key): value for key, value in content.items()}


def _describe(error: yaml.YAMLError) -> str:
    """Return the message of a YAML error in one line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem or ' '.join(str(error).split())}{place}"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        DataError: the file is not JSON, or holds something else.
    """
    try:
        content = json.loads(read_utf8(path))
    except RecursionError as error:
        raise DataError(
            "JSON that is nested too deep to be annotations",
            where=path,
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"broken JSON ({error.msg} in line {error.lineno}, column {error.colno})",
            remedy="export it again",
            where=path,
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            "JSON without an object in braces",
            expected="annotations",
            where=path,
        )
    return content


def get_entry(record: object, key: str, kind: type[Kind], where: str) -> Kind:
    """Return a required entry of a JSON object, of a required type.

    Raises:
        DataError: the entry is missing, or of another type.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "missing" if value is None else f"{str(value)[:40]!r}"
        raise DataError(
            f"{key!r} is {found}",
            expected=_KINDS[kind],
            where=where,
        )
    return value


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}

MAX_BYTES = 256 * 2**20  # of an XML file, whose tree takes about ten times as much memory

# Entities can grow a small file to gigabytes, or read other files.
_FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def read_xml(path: Path) -> Element:
    """Read an XML file without a document type and entities; return its root element.

    Raises:
        DataError: the file is missing, too large or broken, or defines a document type or entities.
    """
    if not path.is_file():
        raise DataError(
            "there is no such file",
            expected="the export of the labelling tool",
            where=path,
        )
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            format_bytes(path.stat().st_size),
            expected=f"at most {format_bytes(MAX_BYTES)}",
            remedy="export the annotations in parts",
            where=path,
        )
    text = read_utf8(path)  # as UTF-8, since another encoding could hide a document type
    if _FORBIDDEN.search(text):
        raise DataError(
            "it defines a document type or entities, which can be an attack and which no "
            "labelling tool writes",
            remedy="export the annotations again",
            where=path,
        )
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(
            f"broken XML ({error})",
            remedy="export the annotations again",
            where=path,
        ) from error


def escape_formula(text: str) -> str:
    """Return text for a CSV cell that a spreadsheet does not execute as a formula.

    Prefixes an apostrophe where the text begins with a character that starts a formula (CWE-1236).
    """
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
