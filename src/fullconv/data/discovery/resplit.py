"""Override a data set's splits: by group, or by lists in splits/."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fullconv.data.discovery.files import FOLDER_MARK
from fullconv.data.discovery.list_files import find_lists, split_from_name
from fullconv.data.discovery.splits import grouping
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.atomic import write_text
from fullconv.io.text import read_utf8

_OPTION = re.compile(r"(.+?)[?&]group-by=(.+)", re.DOTALL)


def without_groups(source: str) -> tuple[str, str | None]:
    """Split DATA?group-by=RULE into DATA and RULE, which is None if there is no such option.

    It must be the last option, as a regular expression may contain "&".
    """
    found = _OPTION.fullmatch(source)
    return (found[1], found[2]) if found else (source, None)


def with_groups(source: str, rule: str) -> str:
    """Return DATA with this group-by option, in place of its own."""
    text, _ = without_groups(source)
    return f"{text}{'&' if '?' in text else '?'}group-by={rule}"


def sample_groups(rule: str) -> Callable[[str], str]:
    """Return the function from a sample's name to its group, whichever split it is in now.

    Args:
        rule: see `fullconv.data.discovery.splits.grouping`.

    Raises:
        ConfigError: it is not a rule.
    """
    return partial(_group, grouping(rule))


def own_lists(folder: Path) -> dict[str, Path]:
    """Return the lists that `convert-data --splits-only` wrote to splits/; split -> file."""
    lists = find_lists(folder, ("splits",))
    return lists if {"train", "val"} & lists.keys() else {}


def write_splits(folder: Path, parts: Mapping[str, Data]) -> list[Path]:
    """Write train.txt, val.txt, ...: the names of the samples, one per line.

    In the folder `splits/` of a data set, these lists are its splits from then on.

    Raises:
        DataError: `folder` holds other lists already.
        OutputError: a list cannot be written.
    """
    texts = {
        folder / f"{split}.txt": "".join(f"{name}\n" for name in data.names)
        for split, data in parts.items()
    }
    for path, text in texts.items():
        if path.is_file() and read_utf8(path) != text:
            raise DataError(
                f"{path} exists already, with other names",
                expected="a new folder, so no split is overwritten",
                remedy="delete the list first to replace it",
            )
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _group(groups: Callable[[str], str], name: str) -> str:
    first, between, rest = name.partition(FOLDER_MARK)
    return groups(rest if between and split_from_name(first) else name)
