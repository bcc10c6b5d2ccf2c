"""Read text, YAML, JSON, CSV and XML, with bounds, and with errors that name the line.

All text that comes from outside is parsed here, so that no file takes minutes or gigabytes.
"""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fullconv.errors import DataError
from fullconv.io import _json, _yaml
from fullconv.io._bounds import MAX_BYTES, MAX_DEPTH, MAX_INTEGER, too_deep
from fullconv.io.regular import open_regular
from fullconv.units import format_bytes

Kind = TypeVar("Kind")

MAX_YAML_BYTES = 16 * 2**20
MAX_XML_BYTES = 256 * 2**20


def read_utf8(path: Path, most: int = MAX_BYTES) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        DataError: the file cannot be opened, is too large, or is not UTF-8.
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except OSError as error:
        raise DataError(
            f"cannot be opened ({error.strerror or error})",
            where=path,
        ) from error
    if len(content) > most:
        raise DataError(
            "a text file that is too large",
            expected=f"at most {format_bytes(most)}",
            remedy="give it in parts",
            where=path,
            code="too-large",
        )
    return decode_utf8(content, path)


def decode_utf8(content: bytes, where: object) -> str:
    """Decode text in UTF-8, with or without a byte order mark; every line ends in a line feed.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 text ({error.reason} at byte {error.start})",
            remedy="save it as UTF-8",
            where=where,
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_yaml(path: Path, typed: bool = True) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        typed: see `parse_yaml`.

    Raises:
        DataError: the file is not YAML, not a mapping, or exceeds a bound.
    """
    text = read_utf8(path, MAX_YAML_BYTES)
    try:
        content = parse_yaml(text, typed)
    except ValueError as error:
        raise DataError(
            f"not readable as YAML ({error})",
            remedy="correct it",
            where=path,
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            "YAML without keys", expected="keys such as train, val and names", where=path
        )
    return {str(key): value for key, value in content.items()}


def parse_yaml(text: str, typed: bool = True) -> Any:
    """Parse YAML 1.2: `no` and `1_0` are texts, `1e-3` is a number.

    Args:
        text: one document.
        typed: whether plain values become numbers, booleans and None; otherwise every value and
            key is the text that was written, as names of classes are.

    Raises:
        ValueError: it is broken or exceeds a bound; the message is one line.
    """
    return _yaml.parse(text, typed)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        DataError: the file is not JSON, holds something else, or exceeds a bound.
    """
    content = _load_json(path)
    if not isinstance(content, dict):
        raise DataError(
            "JSON without an object in braces",
            expected="annotations",
            where=path,
        )
    return content


def read_json_list(path: Path) -> list[Any]:
    """Read a JSON file that holds a list.

    Raises:
        DataError: the file is not JSON, holds something else, or exceeds a bound.
    """
    content = _load_json(path)
    if not isinstance(content, list):
        raise DataError("JSON without a list in brackets", expected="annotations", where=path)
    return content


def _load_json(path: Path) -> Any:
    try:
        return parse_json(read_utf8(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"broken JSON ({error.msg} in line {error.lineno}, column {error.colno})",
            remedy="export it again",
            where=path,
        ) from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"JSON that cannot be used: {error}", remedy="export it again", where=path
        ) from error


def parse_json(text: str | bytes, file_names: bool = False) -> Any:
    """Parse JSON; use it in place of json.loads, which has no bounds.

    Args:
        text: the JSON.
        file_names: allow half characters, which stand for the bytes of names that are not UTF-8.

    Raises:
        ValueError: it is broken or not UTF-8, nested too deep, or holds a key twice, an integer
            beyond 64 bits or half a character.
    """
    # The job files of predict hold names of files that are not UTF-8 in this way.
    decoded = text if isinstance(text, str) else text.decode("utf-8", "surrogatepass")
    return _json.parse(decoded.removeprefix("\ufeff"), file_names)


def parse_json_at(text: str, position: int) -> tuple[Any, int]:
    """Parse the JSON value at a position of a text; return it, and the position after it.

    For files of which only positions are kept: `parse_json` checks the bounds of a part when it
    is used.

    Raises:
        ValueError: it is broken, or holds a key twice.
        RecursionError: it is nested very deep.
    """
    return _json.DECODER.raw_decode(text, position)


def parse_csv(
    text: str | Iterable[str], delimiter: str = ",", strict: bool = False
) -> list[list[str]]:
    """Parse CSV into rows of cells; use it in place of csv.reader.

    Args:
        text: the table, or its lines.
        delimiter: between cells.
        strict: whether quotation marks inside cells are an error.

    Raises:
        ValueError: it is broken, or a cell is longer than 128 KiB.
    """
    lines = text.splitlines() if isinstance(text, str) else text
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict))
    except csv.Error as error:
        raise ValueError(f"not readable as CSV ({error})") from error


def get_entry(record: object, key: str, kind: type[Kind], where: str) -> Kind:
    """Return a required entry of a JSON object, of a required type.

    Raises:
        DataError: the entry is missing, or of another type.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise DataError(f"{key!r} is a number beyond 64 bits", expected=_KINDS[int], where=where)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "missing" if value is None else f"{str(value)[:40]!r}"
        raise DataError(
            f"{key!r} is {found}",
            expected=_KINDS[kind],
            where=where,
        )
    return value


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}

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
    if path.stat().st_size > MAX_XML_BYTES:
        raise DataError(
            format_bytes(path.stat().st_size),
            expected=f"at most {format_bytes(MAX_XML_BYTES)}",
            remedy="export the annotations in parts",
            where=path,
        )
    text = read_utf8(path)  # as UTF-8, since another encoding could hide a document type
    if has_document_type(text):
        raise DataError(
            "it defines a document type or entities, which can be an attack and which no "
            "labelling tool writes",
            remedy="export the annotations again",
            where=path,
        )
    try:
        return parse_xml(text)
    except ValueError as error:
        raise DataError(
            f"broken XML ({error})",
            remedy="export the annotations again",
            where=path,
        ) from error


def has_document_type(text: str) -> bool:
    """Return whether XML defines a document type or entities, which can be an attack."""
    return _FORBIDDEN.search(text) is not None


def parse_xml(text: str) -> Element:
    """Parse XML without a document type; return its root element.

    Raises:
        ValueError: it is broken, or nested too deep.
    """
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: half a character
        raise ValueError(str(error)) from error
    level, depth = [root], 0
    while level := [child for element in level for child in element]:
        depth += 1
        if depth > MAX_DEPTH:
            raise too_deep()
    return root
