"""Parse split lists (train.txt, ...): one rule for every format.

A line names one sample: by its name, by the path of its image, or by the paths of its image and
its mask. Case, suffixes, backslashes for slashes, leading folders of another machine, and what
follows a tab or the first word do not matter. Blank lines and comments ("# ...") are skipped.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fullconv.data.discovery.files import (
    fold_name,
    locate,
    path_within,
    sample_name,
    without_image_folders,
)
from fullconv.data.discovery.pairing import bare_image_stem
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES
from fullconv.io.text import read_utf8

_SUFFIXES = (*SUFFIXES, ".mat", ".json")
_COMMENT = re.compile(r"#+(\s|$)")


@dataclass(frozen=True)
class NameIndex:
    """Find samples by the ways in which a list can name them.

    Attributes:
        paths: name, or path within the data set, folded -> indices of samples.
        stems: file name or stem, folded -> indices of samples. They only count for a line without
            folders, or "old/a.png" would mean "new/a.png".
    """

    paths: Mapping[str, frozenset[int]]
    stems: Mapping[str, frozenset[int]]

    @classmethod
    def of_names(cls, names: Sequence[str]) -> "NameIndex":
        """Return the index of samples whose names are the stems of their files."""
        return cls(_collected((name,) for name in names), {})

    @classmethod
    def of_pairs(cls, pairs: Sequence[Pair], folder: Path) -> "NameIndex":
        """Return the index of the samples of the data set `folder`."""
        paths, stems = [], []
        for pair in pairs:
            inside = path_within(pair.photo, folder)
            short = PurePosixPath(*without_image_folders(inside))
            bare = (inside.with_suffix(""), short.with_suffix(""))
            paths.append({pair.name, *map(str, (inside, short, *bare))})
            stems.append({short.name, short.stem, bare_image_stem(short.stem)})
        return cls(_collected(paths), _collected(stems))

    def find(self, line: str) -> frozenset[int]:
        """Return the samples that a line can mean."""
        words = (line, line.split("\t")[0], line.split(maxsplit=1)[0])
        return next((found for word in words if (found := self._find(word))), frozenset())

    def _find(self, word: str) -> frozenset[int]:
        parts = fold_name(word.strip().replace("\\", "/")).split("/")
        parts = [part for part in parts if part not in ("", ".", "..")]
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        keys = [key for end in ends for key in (end, _without_suffix(end))]
        found = next((self.paths[key] for key in keys if key in self.paths), frozenset[int]())
        if found or len(parts) > 1:
            return found
        return next((self.stems[key] for key in keys if key in self.stems), frozenset())


@dataclass(frozen=True)
class SplitList:
    """The list of one split.

    Attributes:
        path: the file.
        lines: without blank ones and comments.
    """

    path: Path
    lines: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "SplitList":
        """Read a list.

        Raises:
            DataError: the file cannot be read, or is not UTF-8.
        """
        lines = (line.strip() for line in read_utf8(path).splitlines())
        return cls(path, tuple(line for line in lines if line and not _COMMENT.match(line)))

    def match(self, pairs: Sequence[Pair], folder: Path) -> tuple[list[Pair], list[DataError]]:
        """Return the pairs that the lines name, in their order, and what is wrong with lines."""
        indices, problems = self.select(NameIndex.of_pairs(pairs, folder))
        return [pairs[index] for index in indices], problems

    def select(self, index: NameIndex) -> tuple[list[int], list[DataError]]:
        """Return the indices that the lines name, in their order, and what is wrong with lines."""
        chosen: dict[int, str] = {}
        problems = []
        for line in self.lines:
            found = index.find(line)
            if len(found) != 1:
                what = "no sample" if not found else f"{len(found)} samples"
                problems.append(self.problem(f"{line!r} is the name of {what}"))
            elif found <= chosen.keys():
                problems.append(self.problem(f"{line!r} names a sample twice"))
            else:
                chosen[min(found)] = line
        return list(chosen), problems

    def pairs(self, folder: Path) -> tuple[list[Pair], list[DataError]]:
        """Return the image and mask that each line names, and what is wrong with lines."""
        pairs: dict[Path, Pair] = {}
        problems = []
        for line in self.lines:
            two = image_and_mask(folder, line)
            if two is None:
                found = f"{line!r} does not name an image and a mask that exist"
                expected = '"IMAGE MASK", paths within the data set'
                problems.append(self.problem(found, expected, "correct the line or delete it"))
            elif two[0] in pairs:
                problems.append(self.problem(f"{line!r} names a sample twice"))
            else:
                pairs[two[0]] = Pair(sample_name(two[0], folder), *two)
        return list(pairs.values()), problems

    def problem(
        self,
        found: str,
        expected: str = "each sample once, by its name or the path of its image",
        remedy: str = "correct the line, delete it or add the file",
    ) -> DataError:
        """Return the error of one line."""
        return DataError(found, expected, remedy, where=self.path, code="list-line")

    def empty(self) -> DataError | None:
        """Return the error of a list without any line; None if there is a line."""
        if self.lines:
            return None
        remedy = f"fill it, or delete it if there is no split {self.path.stem}"
        return DataError("the list is empty", remedy=remedy, where=self.path, code="empty-split")


def image_and_mask(folder: Path, line: str) -> tuple[Path, Path] | None:
    """Return the image and the mask that a line names; None if it does not name two files."""
    for dangling in (False, True):
        for gap in re.finditer(r"[,;]\s*|\s+", line):
            image = locate(folder, line[: gap.start()], dangling)
            mask = locate(folder, line[gap.end() :], dangling)
            if image and mask:
                return image, mask
    return None


def read_lists(paths: Mapping[str, Path]) -> tuple[dict[str, SplitList], dict[str, DataError]]:
    """Read the lists of all splits: split -> list, and split -> why its list cannot be read."""
    lists, broken = {}, {}
    for split, path in paths.items():
        try:
            lists[split] = SplitList.read(path)
        except DataError as error:
            broken[split] = error
    return lists, broken


def lists_pairs(folder: Path, lists: Iterable[SplitList]) -> bool:
    """Return whether lists name an image and a mask per line, judged by their first lines."""
    lines = [line for part in lists for line in part.lines[:1]]  # an empty list decides nothing
    return bool(lines) and all(image_and_mask(folder, line) for line in lines)


def _collected(keys: Iterable[Iterable[str]]) -> dict[str, frozenset[int]]:
    index: dict[str, set[int]] = {}
    for number, several in enumerate(keys):
        for key in several:
            index.setdefault(fold_name(key), set()).add(number)
    return {key: frozenset(numbers) for key, numbers in index.items()}


def _without_suffix(name: str) -> str:
    return name[: name.rindex(".")] if name.endswith(_SUFFIXES) else name
