"""Parse YAML 1.2 whose depth, size, aliases and numbers are bounded.

The rules for plain values are those of YAML 1.2: `no`, `1_0` and dates are texts, `1e-3` is a
number. Values are built from the parser's events one after the other, so nothing recurses.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from fullconv.io._bounds import MAX_DEPTH, MAX_YAML_VALUES, parse_integer, too_deep

# libyaml's parser is ten times as fast; PyYAML is also built without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map")}

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_HALF_CHARACTER = re.compile("[\\ud800-\\udfff]")
_QUOTES = ("'", '"', "|", ">")
MERGE = "<<"


class YamlError(ValueError):
    """YAML that is broken or exceeds a bound; the message is one line and names the place."""

    def __init__(self, problem: str, mark: Any = None) -> None:
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        super().__init__(f"{problem}{place}")


def parse(text: str, typed: bool = True) -> Any:
    """Parse one YAML document; None if it is empty.

    Args:
        text: the document.
        typed: whether plain values become numbers, booleans and None; otherwise every value and
            key is the text that was written.

    Raises:
        YamlError: it is broken, exceeds a bound, or has a key twice or a tag of a program.
    """
    builder = _Builder(typed)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise YamlError(problem, getattr(error, "problem_mark", None)) from error
    return builder.document


@dataclass
class _Container:
    """A list or mapping that is not finished."""

    value: list[Any] | dict[Any, Any]
    anchor: str | None
    count: int  # values before it
    key: Any = None
    has_key: bool = False
    lines: dict[Any, int] = field(default_factory=dict)  # of each key
    merged: list[Any] = field(default_factory=list)


class _Builder:
    """Builds the values of one document."""

    def __init__(self, typed: bool) -> None:
        self.typed = typed
        self.document: Any = None
        self.documents = 0
        self.open: list[_Container] = []
        self.anchors: dict[str, tuple[Any, int]] = {}  # value, number of values in it
        self.count = 0

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event, self.typed), event)
            self._name(event.anchor, self._last, 1)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise YamlError("a second document begins", event.start_mark)

    def _begin(self, event: Any) -> None:
        if event.tag not in (None, "!", *_PLAIN_TAGS):
            raise YamlError(f"the tag {event.tag[:80]} is not allowed", event.start_mark)
        value: list[Any] | dict[Any, Any] = {}
        if isinstance(event, yaml.SequenceStartEvent):
            value = []
        before = self.count
        self._add(value, event)
        self.open.append(_Container(value, event.anchor, before))
        if len(self.open) > MAX_DEPTH:
            raise YamlError(str(too_deep()), event.start_mark)

    def _end(self) -> None:
        done = self.open.pop()
        for mapping in done.merged:
            for key, value in mapping.items():
                done.value.setdefault(key, value)  # type: ignore[union-attr]
        self._name(done.anchor, done.value, self.count - done.count)

    def _name(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise YamlError(f"the alias *{event.anchor} stands for nothing", event.start_mark)
        value, size = self.anchors[event.anchor]
        self.count += size - 1
        self._add(value, event)

    def _add(self, value: Any, event: Any) -> None:
        """Put a value into the innermost open container."""
        self._last = value
        self.count += 1
        if self.count > MAX_YAML_VALUES:
            raise YamlError(
                f"more than {MAX_YAML_VALUES:,} values, with all aliases", event.start_mark
            )
        if not self.open:
            self.document = value
            return
        inside = self.open[-1]
        if isinstance(inside.value, list):
            inside.value.append(value)
        elif not inside.has_key:
            inside.key, inside.has_key = self._key(value, event), True
        else:
            self._set(inside, value, event)

    def _key(self, value: Any, event: Any) -> Any:
        if isinstance(value, list | dict):
            raise YamlError("a key is a list or a mapping", event.start_mark)
        inside, line = self.open[-1], event.start_mark.line + 1
        is_merge = value == MERGE and getattr(event, "style", None) not in _QUOTES
        if value in inside.lines and not is_merge:
            raise YamlError(
                f"the key {str(value)[:60]!r} is given twice, in the lines {inside.lines[value]} "
                f"and {line}"
            )
        inside.lines[value] = line
        return _Merge if is_merge else value

    def _set(self, inside: _Container, value: Any, event: Any) -> None:
        inside.has_key = False
        if inside.key is not _Merge:
            inside.value[inside.key] = value
            return
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise YamlError(f"{MERGE} merges something that is not a mapping", event.start_mark)
        inside.merged += mappings


class _Merge:
    """The key `<<`, whose value is merged into the mapping."""


def _scalar(event: Any, typed: bool) -> Any:
    """Return the value of a scalar."""
    text, tag = event.value, event.tag
    if tag not in (None, "!", *_PLAIN_TAGS):
        raise YamlError(f"the tag {tag[:80]} is not allowed", event.start_mark)
    if _HALF_CHARACTER.search(text):
        raise YamlError("half of a surrogate pair, which is not a character", event.start_mark)
    quoted = event.style in _QUOTES and tag in (None, "!")
    if quoted or not typed or tag == _TAG + "str":
        return text
    try:
        return _plain(text)
    except ValueError as error:
        raise YamlError(str(error), event.start_mark) from None


def _plain(text: str) -> Any:
    """Return the value of a plain scalar by the core schema of YAML 1.2.

    A number with leading zeros stays a text: YAML 1.1 reads it as octal, YAML 1.2 as decimal.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return parse_integer(text)
    if _OTHER_BASE.fullmatch(text):
        return parse_integer(text, 0)
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9]+$", text):
        if math.isinf(number := float(text)):
            raise ValueError(f"the number {text[:30]} is too large")
        return number
    if match := _SPECIAL.fullmatch(text):
        return float("nan") if match[3] else float(match[1] + "inf")
    return text
