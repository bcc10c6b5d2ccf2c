"""A name for each input's files, and the part of the inputs that each of many machines does."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from fullconv.batch.inputs import Input
from fullconv.io.storage import is_url

LONGEST = 150
"""Bytes of a name; file systems allow 255, of which suffixes and temporary files need some."""


def named(inputs: Sequence[Input], known: Mapping[str, str] | None = None) -> list[Input]:
    """The inputs, each with a name of its own for its files.

    The name is the stem, with folder and suffix where stems repeat.

    Args:
        inputs: all of them, also those that another machine works on: names depend on the others.
        known: id -> name that it has already.
    """
    known = known or {}
    stems = Counter(_stem(item).casefold() for item in inputs)
    taken = {name.casefold() for name in known.values()}
    result = []
    for item in inputs:
        name = known.get(item.id)
        if name is None:
            name = _stem(item)
            if stems[name.casefold()] > 1:
                path = _path(item)
                name = _safe("__".join((*path.parts[-2:-1], path.name.replace(".", "_"))))
            base, number = name, 2
            while name.casefold() in taken:
                name, number = f"{base}-{number}", number + 1
            taken.add(name.casefold())
        result.append(replace(item, name=name))
    return result


def share(inputs: Iterable[Input], shard: tuple[int, int]) -> list[Input]:
    """The part (i of n, from 0) of the inputs that one of n machines works on.

    It follows from each id alone, so that an input that is added moves no other.
    """
    index, count = shard
    return [item for item in inputs if _number(item.id) % count == index]


def _path(item: Input) -> PurePath:
    url = is_url(item.where)
    return PurePosixPath(unquote(urlsplit(item.where).path)) if url else PurePath(item.where)


def _stem(item: Input) -> str:
    return _safe(_path(item).stem)


def _safe(name: str) -> str:
    """A name that is one file in the folder it is meant for, on any file system."""
    name = re.sub(r"[\x00-\x1f/\\]", "_", name).lstrip(".") or "photo"
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) <= LONGEST:
        return name
    mark = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: LONGEST - 9].decode("utf-8", "ignore") + f"-{mark}"


def _number(one: str) -> int:
    return int.from_bytes(
        hashlib.sha256(one.encode("utf-8", "surrogateescape")).digest()[:8], "big"
    )
