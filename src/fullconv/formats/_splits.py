"""Which samples are a split: as folders, files or lists say, or else by the hash of their names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fullconv.atomic import write_text
from fullconv.errors import DataError, NoSplitError
from fullconv.formats._layout import canonical, find_lists
from fullconv.formats._lines import list_lines
from fullconv.formats._pairs import Line, Pair, folded
from fullconv.formats._texts import text_of
from fullconv.sample import Data
from fullconv.splits import hash_split


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
                raise DataError(f"{path}: {sentence}; expected each sample once")
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
                f"{path} is there already, with other names; expected a new folder, so that no "
                "split is lost: delete the list first if it should be replaced"
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
