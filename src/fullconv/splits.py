"""Training and validation without a list on disk: the same names always part in the same way."""

import math
import re
from collections.abc import Callable, Sequence
from hashlib import sha256

from fullconv.errors import ConfigError, DataError

Grouping = Callable[[str], str] | str | re.Pattern[str]


def hash_split(
    names: Sequence[str], share: float = 0.2, groups: Grouping | None = None
) -> dict[str, tuple[int, ...]]:
    """The indices of "train" and of "val", in the order of `names`.

    The names are ranked by their SHA-256; the first `share` of them, rounded up, is validation.
    Nothing else counts: neither the order, nor the machine, nor a seed.

    Args:
        names: one unique name a sample.
        share: how much is validation, in [0, 1].
        groups: what a name belongs to (clip, patient, tile): a function, or a regular expression
            whose first group, or whole match, is the answer. Samples of one group stay together,
            and validation is filled up with whole groups until it has its share.

    Raises:
        ConfigError: `share` is out of range, or the expression is none.
        DataError: a name without a group, or all samples in one group.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"a validation share of {share}; expected a number from 0 to 1")
    members = _members(names, groups)
    if groups is not None and len(names) > 1 and len(members) == 1 and 0 < share < 1:
        raise DataError(
            f"all {len(names)} samples are of one group, {next(iter(members))!r}, so that none is "
            "left for validation; group by something finer"
        )
    wanted = math.ceil(share * len(names)) if len(names) > 1 else 0
    chosen = _validation(members, wanted, len(names) if share == 1 else len(names) - 1)
    return {
        "train": tuple(index for index in range(len(names)) if index not in chosen),
        "val": tuple(index for index in range(len(names)) if index in chosen),
    }


def group_of(name: str, groups: Grouping) -> str:
    """What `name` belongs to.

    Raises:
        ConfigError: the regular expression is none.
        DataError: it matches nothing in `name`.
    """
    if callable(groups):
        return groups(name)
    try:
        match = re.search(groups, name)
    except re.error as error:
        raise ConfigError(f"{groups!r} is not a regular expression: {error}") from error
    if match is None:
        raise DataError(
            f"the sample {name!r} belongs to no group: it does not match "
            f"{getattr(groups, 'pattern', groups)!r}; expected an expression for every name"
        )
    return (match.group(1) if match.re.groups else match.group(0)) or ""


def _members(names: Sequence[str], groups: Grouping | None) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name if groups is None else group_of(name, groups), []).append(index)
    return members


def _validation(members: dict[str, list[int]], wanted: int, most: int) -> set[int]:
    chosen: set[int] = set()
    for group in sorted(members, key=lambda group: sha256(group.encode()).digest()):
        if len(chosen) < wanted and len(chosen) + len(members[group]) <= most:
            chosen.update(members[group])
    return chosen
