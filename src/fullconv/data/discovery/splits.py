"""Train/val splits: declared on disk, or by hash of the names."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

from fullconv.data.discovery.layout import canonical, find_lists
from fullconv.data.discovery.lists import list_lines
from fullconv.data.discovery.pairing import Line, folded
from fullconv.data.sample import Data, Pair
from fullconv.errors import ConfigError, DataError, NoSplitError
from fullconv.io.atomic import write_text
from fullconv.io.text import text_of

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
            and validation is filled up with whole groups until it has its share; a group of more
            than half of the samples comes last.

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
            "left for validation",
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
    """`hash_split` by groups that a user asked for, so that there must be some.

    Raises:
        DataError: no two samples are of one group, or all are.
    """
    found = {groups(name) for name in names}
    if len(found) == len(names) > 1:
        raise DataError(
            f"no two of the {len(names)} samples are of one group by their names (such as "
            f"{names[0]!r})",
            remedy=(
                "say with a regular expression what they have in common, e.g. ?group-by=^[^_]+ "
                "for all up to the first underscore, or leave group-by away"
            ),
        )
    return hash_split(names, share, groups)


def grouping(rule: str) -> Callable[[str], str]:
    """What a sample's name belongs to.

    Args:
        rule: "clip" (the name without the number at its end), "patient" (the name up to the word
            with the first number), "tile" (the name without the row and column at its end),
            "folder" (where the photo lies), "folder:1" (the outermost folder, "folder:2" the two
            outermost ones, ...), or a regular expression whose first group, or whole match, is it.

    Raises:
        ConfigError: the expression is none.
    """
    if rule in _RULES:
        return _RULES[rule]
    if match := re.fullmatch(r"folder:([1-9])", rule):
        return partial(_outer, int(match[1]))
    try:
        expression = re.compile(rule)
    except re.error as error:
        raise ConfigError(
            f"group-by={rule} is none of {', '.join(_RULES)}, and no regular expression: {error}"
        ) from error
    return partial(group_of, groups=expression)


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
            f"{getattr(groups, 'pattern', groups)!r}",
            expected="an expression for every name",
        )
    return (match.group(1) if match.re.groups else match.group(0)) or ""


def _clip(name: str) -> str:
    """Frames are numbered: "0016E5_00390" is of "0016E5", "walk__frame12" of "walk"."""
    number = r"(?:(?:^|[_\-. ]+)(?:frame|image|img|f))?[_\-. ]*\d+$"
    return re.sub(number, "", name, flags=re.IGNORECASE)


def _patient(name: str) -> str:
    """Patients are numbered first: "sub-01_ses-02" is of "sub-01", "TCGA_CS_4941_3" of ..._4941."""
    match = re.match(r".*?\d[^_\-. ]*", name)
    return match[0] if match else name


def _tile(name: str) -> str:
    """Pieces of a tile end in row and column: "area7_512_1024", "area7_r2_c3" are of "area7"."""
    return re.sub(r"(?:[_\-. ]+[a-z]{0,3}[_\-]?\d+){1,2}$", "", name, flags=re.IGNORECASE)


def _folder(name: str) -> str:
    return name.rpartition(_WITHIN)[0]


def _outer(levels: int, name: str) -> str:
    return _WITHIN.join(name.split(_WITHIN)[:-1][:levels])


_WITHIN = "__"  # between the folders of a sample's name
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


def split_of(name: str) -> str | None:
    """The split that a name means, with or without a year ("Train", "valid", "val2017")."""
    return canonical(re.sub(r"[\W_]*\d*$", "", name))


def listed(
    folder: Path, pairs: Sequence[Pair], faulty: list[Line] | None = None
) -> dict[str, list[int]]:
    """The splits that splits/train.txt, train.txt, ... name; empty where there is no such file.

    A line is a sample's name, or the path or the name of its photo, with or without suffix.

    Args:
        folder: the data set.
        pairs: all of its samples.
        faulty: takes what is wrong with a line; None: it is raised.

    Raises:
        DataError: a line that means none of the pairs, or more than one, or one again.
    """
    lists = find_lists(folder)
    keys: dict[str, set[int]] = {}
    for number, pair in enumerate(pairs if lists else ()):
        path = pair.photo.relative_to(folder) if pair.photo.is_relative_to(folder) else pair.photo
        for key in (pair.name, path.with_suffix("").as_posix(), path.stem):
            keys.setdefault(folded(key), set()).add(number)
    return {split: _numbers(path, keys, faulty) for split, path in lists.items()}


def _numbers(path: Path, keys: Mapping[str, set[int]], faulty: list[Line] | None) -> list[int]:
    chosen: dict[int, str] = {}
    for line in list_lines(path):
        found = keys.get(folded(line), set()) or keys.get(folded(_bare(line)), set())
        if len(found) != 1 or found & chosen.keys():
            what = "once more a sample" if found & chosen.keys() else f"{len(found)} samples"
            sentence = f"the line {line!r} means {what}"
            if faulty is None:
                raise DataError(
                    sentence,
                    expected="each sample once",
                    where=path,
                )
            faulty.append((path, sentence))
        else:
            chosen[min(found)] = line
    return list(chosen)


def _bare(line: str) -> str:
    return re.sub(r"\.\w+$", "", line.replace("\\", "/"))


def write_splits(folder: Path, parts: Mapping[str, Data]) -> list[Path]:
    """Write train.txt, val.txt, ...: the names of the samples, one a line.

    As `splits/` of a data set these lists are its splits from then on.

    Raises:
        DataError: `folder` holds other lists already.
        OutputError: a list cannot be written.
    """
    texts = {
        folder / f"{split}.txt": "".join(f"{name}\n" for name in data.names)
        for split, data in parts.items()
    }
    for path, text in texts.items():
        if path.is_file() and text_of(path) != text:
            raise DataError(
                f"{path} is there already, with other names",
                expected="a new folder, so that no split is lost",
                remedy="delete the list first if it should be replaced",
            )
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def of_split(
    where: Path, split: str | None, pairs: Sequence[Pair], declared: Mapping[str, Sequence[int]]
) -> list[Pair]:
    """The pairs of one split; None is all of them.

    Args:
        where: the data set, for messages.
        split: "train", "val", ...
        pairs: all of them.
        declared: the indices of each split; empty where nothing on disk tells them.

    Raises:
        NoSplitError: there is no such split.
    """
    if split is None:
        return list(pairs)
    parts = declared or hash_split([pair.name for pair in pairs])
    name = split if split in parts else split_of(split) or split
    if name not in parts:
        how = "" if declared else " (by the hash of the names, since no split is on disk)"
        raise NoSplitError(where, split, parts, how)
    return [pairs[index] for index in parts[name]]
