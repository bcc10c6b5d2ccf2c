"""Split samples into train and val by the hash of their names, keeping groups together."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from unicodedata import normalize

from fullconv.data.discovery.files import FOLDER_MARK
from fullconv.errors import ConfigError, DataError

Grouping = Callable[[str], str] | str | re.Pattern[str]


def hash_split(
    names: Sequence[str], share: float = 0.2, groups: Grouping | None = None
) -> dict[str, tuple[int, ...]]:
    """Return the indices of "train" and of "val", in the order of `names`.

    The names are ranked by their SHA-256; the first `share` of them, rounded up, is validation.
    The split depends on the names alone: not on their order, the machine or a seed.

    Args:
        names: one unique name per sample.
        share: fraction of validation samples, in [0, 1].
        groups: what a name belongs to (clip, patient, tile): a function, or a regular expression
            whose first group, or whole match, is the name of the group. Samples of one group stay
            together: validation takes whole groups until it has its share. A group of more than
            half of the samples is taken last.

    Raises:
        ConfigError: `share` is out of range, or the regular expression is invalid.
        DataError: a name without a group, or all samples in one group.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"a validation share of {share}; expected a number from 0 to 1")
    members = _members(names, groups)
    if groups is not None and len(names) > 1 and len(members) == 1 and 0 < share < 1:
        raise DataError(
            f"all {len(names)} samples are of one group, {next(iter(members))!r}, so none is left "
            "for validation",
            remedy="group by something finer",
        )
    wanted = math.ceil(share * len(names)) if len(names) > 1 else 0
    chosen = _validation(members, wanted, len(names) if share == 1 else len(names) - 1)
    return {
        "train": tuple(index for index in range(len(names)) if index not in chosen),
        "val": tuple(index for index in range(len(names)) if index in chosen),
    }


def grouped_split(
    names: Sequence[str], groups: Callable[[str], str], share: float = 0.2
) -> dict[str, tuple[int, ...]]:
    """Return the `hash_split` by groups that a user asked for, so there must be some.

    Raises:
        DataError: no two samples are of one group, or all are.
    """
    found = {groups(name) for name in names}
    if len(found) == len(names) > 1:
        raise DataError(
            f"no two of the {len(names)} samples are of one group by their names (such as "
            f"{names[0]!r})",
            remedy=(
                "give a regular expression for what they have in common, e.g. ?group-by=^[^_]+ for "
                "all up to the first underscore, or omit group-by"
            ),
        )
    return hash_split(names, share, groups)


def grouping(rule: str) -> Callable[[str], str]:
    """Return the function from a sample's name to its group.

    Args:
        rule: "clip" (the name without the number at its end), "patient" (the name up to the word
            with the first number), "tile" (the name without the row and column at its end),
            "folder" (the image's folder), "folder:1" (the outermost folder, "folder:2" the two
            outermost ones, ...), or a regular expression whose first group, or whole match, is
            the name of the group.

    Raises:
        ConfigError: the regular expression is invalid.
    """
    if rule in _RULES:
        return _RULES[rule]
    if match := re.fullmatch(r"folder:([1-9])", rule):
        return partial(_outer, int(match[1]))
    try:
        expression = re.compile(rule)
    except re.error as error:
        raise ConfigError(
            f"group-by={rule} is neither {', '.join(_RULES)} nor a regular expression: {error}"
        ) from error
    return partial(group_of, groups=expression)


def group_of(name: str, groups: Grouping) -> str:
    """Return the group of `name`.

    Raises:
        ConfigError: the regular expression is invalid.
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
            f"{getattr(groups, 'pattern', groups)!r}",
            expected="an expression for every name",
        )
    return (match.group(1) if match.re.groups else match.group(0)) or ""


def _clip(name: str) -> str:
    """Remove the frame number: "0016E5_00390" is of "0016E5", "walk__frame12" of "walk"."""
    number = r"(?:(?:^|[_\-. ]+)(?:frame|image|img|f))?[_\-. ]*\d+$"
    return re.sub(number, "", name, flags=re.IGNORECASE)


def _patient(name: str) -> str:
    """Keep the first number, the patient's: "sub-01_ses-02" is of "sub-01"."""
    match = re.match(r".*?\d[^_\-. ]*", name)
    return match[0] if match else name


def _tile(name: str) -> str:
    """Remove row and column: "area7_512_1024" and "area7_r2_c3" are of "area7"."""
    return re.sub(r"(?:[_\-. ]+[a-z]{0,3}[_\-]?\d+){1,2}$", "", name, flags=re.IGNORECASE)


def _folder(name: str) -> str:
    return name.rpartition(FOLDER_MARK)[0]


def _outer(levels: int, name: str) -> str:
    return FOLDER_MARK.join(name.split(FOLDER_MARK)[:-1][:levels])


_RULES: Mapping[str, Callable[[str], str]] = {
    "clip": _clip,
    "patient": _patient,
    "tile": _tile,
    "folder": _folder,
}


def _members(names: Sequence[str], groups: Grouping | None) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name if groups is None else group_of(name, groups), []).append(index)
    return members


def _validation(members: dict[str, list[int]], wanted: int, most: int) -> set[int]:
    chosen: set[int] = set()
    half = sum(map(len, members.values())) / 2
    for group in sorted(members, key=lambda one: (len(members[one]) > half, _digest(one))):
        if len(chosen) < wanted and len(chosen) + len(members[group]) <= most:
            chosen.update(members[group])
    return chosen


def _digest(group: str) -> bytes:
    # macOS stores "ü" as two characters, Linux as one; names that are no UTF-8 have surrogates.
    return sha256(normalize("NFC", group).encode("utf-8", "surrogateescape")).digest()
