"""Which samples are a split: as folders, files or lists say, or else by the hash of their names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fullconv.errors import DataError
from fullconv.formats._layout import canonical, find_lists
from fullconv.formats._pairs import Pair, select
from fullconv.splits import hash_split


def split_of(name: str) -> str | None:
    """The split that a name means, with or without a year ("Train", "valid", "val2017")."""
    return canonical(re.sub(r"[\W_]*\d*$", "", name))


def listed(folder: Path, pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """The splits that splits/train.txt, train.txt, ... name; empty where there is no such file.

    Raises:
        DataError: a line that names none of the pairs.
    """
    index = {pair.name: number for number, pair in enumerate(pairs)}
    return {
        split: [index[pair.name] for pair in select(pairs, path, folder)]
        for split, path in find_lists(folder).items()
    }


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
        DataError: there is no such split.
    """
    if split is None:
        return list(pairs)
    parts = declared or hash_split([pair.name for pair in pairs])
    name = split if split in parts else split_of(split) or split
    if name not in parts:
        how = "" if declared else " (by the hash of the names, since no split is on disk)"
        raise DataError(f"{where} has no split {split!r}; there are: {', '.join(parts)}{how}")
    return [pairs[index] for index in parts[name]]
