"""Override a data set's splits: by group, or by lists in splits/."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.layout import canonical
from fullconv.data.discovery.lists import list_lines
from fullconv.data.discovery.pairing import Line, folded
from fullconv.data.discovery.splits import grouped_split, grouping, split_of
from fullconv.data.sample import Data
from fullconv.errors import DataError, NoSplitError
from fullconv.io.images import SUFFIXES

_OPTION = re.compile(r"(.+?)[?&]group-by=(.+)", re.DOTALL)


def without_groups(source: str) -> tuple[str, str | None]:
    """DATA without its group-by, and what that says; it is the last option, as it may hold "&"."""
    found = _OPTION.fullmatch(source)
    return (found[1], found[2]) if found else (source, None)


def with_groups(source: str, rule: str) -> str:
    """DATA with this group-by, in place of its own."""
    text, _ = without_groups(source)
    return f"{text}{'&' if '?' in text else '?'}group-by={rule}"


def sample_groups(rule: str) -> Callable[[str], str]:
    """What a sample belongs to by its name, whichever split's folder it lies in now.

    Args:
        rule: see `fullconv.data.discovery.splits.grouping`.

    Raises:
        ConfigError: it is no rule.
    """
    return partial(_group, grouping(rule))


def grouped(
    source: str, opened: Callable[[str | None], Data], split: str | None, rule: str
) -> Data:
    """A data set whose train and val are whole groups; its test stays as it is.

    Args:
        source: what the data set is called now.
        opened: a split, or None for all of it -> Data.
        split: "train", "val", "test" or None.
        rule: see `fullconv.data.discovery.splits.grouping`.

    Raises:
        NoSplitError: there is no such split.
        DataError: no groups, or only one.
    """
    groups = sample_groups(rule)
    whole = opened(None)
    if split is None:
        return replace(whole, source=source)
    held = _held(opened)
    if split == "test" and held:
        return replace(opened(split), source=source)
    free = [index for index, name in enumerate(whole.names) if name not in held]
    parts = grouped_split([whole.names[index] for index in free], groups)
    if split not in parts:
        known = [*parts, *(["test"] if held else [])]
        raise NoSplitError(source, split, known, f" (divided by {rule})")
    return replace(whole.take([free[index] for index in parts[split]]), source=source, split=split)


def _group(groups: Callable[[str], str], name: str) -> str:
    first, between, rest = name.partition("__")
    return groups(rest if between and split_of(first) else name)


def _held(opened: Callable[[str | None], Data]) -> frozenset[str]:
    try:
        return frozenset(opened("test").names)
    except NoSplitError:
        return frozenset()


def own_lists(folder: Path) -> dict[str, Path]:
    """The lists that `convert-data --splits-only` wrote to splits/; split -> file."""
    files = sorted((folder / "splits").glob("*.txt"))
    lists = {canonical(path.stem) or path.stem: path for path in files}
    return lists if {"train", "val"} & lists.keys() else {}


def listed_data(
    source: str, lists: Mapping[str, Path], opened: Callable[[str | None], Data], split: str | None
) -> Data:
    """One split of a data set, as its list says; None is all of it.

    Raises:
        NoSplitError: no list has this name.
        DataError: a line is the name of no sample, or stands there twice.
    """
    whole = opened(None)
    if split is None:
        return whole
    name = split if split in lists else canonical(split) or split
    if name not in lists:
        raise NoSplitError(source, split, lists, " (in splits/)")
    places, faulty = _places(lists[name], whole.names)
    for path, sentence in faulty:
        raise DataError(
            sentence,
            expected=f"names such as {whole.names[0]!r}, each once",
            remedy="correct the list, or delete splits/",
            where=path,
        )
    part = whole.take(places)
    return Data(part.source, split, part.classes, part.palette, part.names, part.read)


def relist(stock: Inventory, lists: Mapping[str, Path]) -> None:
    """Divide an inventory as the lists say."""
    free = {pair.name: pair for pairs in stock.splits.values() for pair in pairs}
    stock.splits, stock.divided = {}, True
    for name, path in lists.items():
        places, faulty = _places(path, [*free])
        stock.splits[name] = [[*free.values()][place] for place in places]
        stock.bad_lines += faulty


def _places(path: Path, names: Sequence[str]) -> tuple[list[int], list[Line]]:
    index = {folded(name): place for place, name in enumerate(names)}
    found: dict[int, None] = {}
    faulty: list[Line] = []
    for line in list_lines(path):
        bare = line[: line.rindex(".")] if line.lower().endswith(SUFFIXES) else line
        place = index.get(folded(line), index.get(folded(bare)))
        if place is None or place in found:
            what = "is the name of no sample" if place is None else "stands there twice"
            faulty.append((path, f"{line!r} {what}"))
        else:
            found[place] = None
    return [*found], faulty
