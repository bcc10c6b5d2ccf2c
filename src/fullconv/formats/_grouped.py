"""Train and val divided anew so that neighbours stay together: DATA?group-by=clip."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fullconv.errors import NoSplitError
from fullconv.formats._splits import split_of
from fullconv.sample import Data
from fullconv.splits import grouped_split, grouping

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
        rule: see `fullconv.splits.grouping`.

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
        rule: see `fullconv.splits.grouping`.

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
