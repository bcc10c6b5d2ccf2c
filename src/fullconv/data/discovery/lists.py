"""Parse split lists (train.txt, ...): one rule for every format.

A line names one sample: by its name, by the path of its image, or by the paths of its image and
its mask. Case, suffixes, backslashes for slashes, leading folders of another machine, and numbers
in further columns do not matter; another sample or file in them does. Blank lines, comments
("# ...") and the titles of a table's columns are skipped.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fullconv.data.discovery.files import (
    fold_name,
    locate,
    path_within,
    quoted,
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
_MOST_GAPS = 40  # of a line that are tried as the end of a path
_GAP = re.compile(r"\s*[,;|]\s*|\s+")
_TITLES = (
    *("image", "images", "img", "photo", "mask", "masks", "label", "labels", "annotation", "path"),
    *("file", "filename", "file_name", "name", "id", "image_id", "image_path", "image_file"),
    *("mask_path", "mask_file", "label_path", "split"),
)


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

    def find(self, line: str) -> tuple[frozenset[int], str]:
        """Return the samples that a line can mean, and what follows their name in it.

        If the rest names another sample, they are all meant.
        """
        gaps = [gap.start() for gap in _GAP.finditer(line)][:_MOST_GAPS]
        # The longest name first, as names may have blanks; then leading folders with blanks.
        named = [end for end in gaps if line[:end].lower().endswith(_SUFFIXES)]
        ways = [(end, True) for end in (len(line), *gaps[::-1])]
        ways += [(end, False) for end in (*named, len(line))]
        for end, spanning in ways:
            if found := self._find(line[:end], spanning):
                rest = line[end:].strip(" \t,;|")
                others = self._find(rest.split()[0], True) if rest else frozenset[int]()
                return found | others, rest
        return frozenset(), ""

    def _find(self, words: str, spanning: bool) -> frozenset[int]:
        """Return the samples that a path means, by its longest possible end.

        Args:
            words: the path.
            spanning: whether the end must hold all gaps, so that "a.png b/c.png" is not "c.png".
        """
        parts = fold_name(words.strip().replace("\\", "/")).split("/")
        # A line of a million slashes would take minutes; no path has so many folders.
        parts = [part for part in parts if part not in ("", ".", "..")][-64:]
        gapped = [place for place, part in enumerate(parts) if _GAP.search(part)]
        starts = range(gapped[-1] + 1 if spanning and gapped else len(parts))
        ends = ["/".join(parts[start:]) for start in starts]
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
        lines = [line.strip() for line in read_utf8(path).splitlines()]
        lines = [line for line in lines if line and not _COMMENT.match(line)]
        if lines and _is_title(lines[0]):
            lines = lines[1:]
        return cls(path, tuple(lines))

    def match(self, pairs: Sequence[Pair], folder: Path) -> tuple[list[Pair], list[DataError]]:
        """Return the pairs that the lines name, in their order, and what is wrong with lines."""
        found, problems = self._select(NameIndex.of_pairs(pairs, folder))
        chosen = []
        for index, rest in found.items():
            pair = pairs[index]
            other = locate(folder, rest) if rest else None
            if other and other.suffix and not _same_file(other, pair.mask, pair.photo):
                problems.append(
                    self.problem(
                        f"{quoted(rest)} follows the photo {pair.photo}, whose mask is {pair.mask}",
                        "the mask of the photo, or nothing",
                        "name the right mask in the list, or delete it there",
                    )
                )
            else:
                chosen.append(pair)
        return chosen, problems

    def select(self, index: NameIndex) -> tuple[list[int], list[DataError]]:
        """Return the indices that the lines name, in their order, and what is wrong with lines."""
        found, problems = self._select(index)
        return list(found), problems

    def _select(self, index: NameIndex) -> tuple[dict[int, str], list[DataError]]:
        """Return the indices that the lines name, each with the rest of its line."""
        chosen: dict[int, str] = {}
        problems = []
        for line in self.lines:
            found, rest = index.find(line)
            if len(found) != 1:
                what = "no sample" if not found else f"{len(found)} samples"
                problems.append(self.problem(f"{quoted(line)} is the name of {what}"))
            elif found <= chosen.keys():
                problems.append(self.problem(f"{quoted(line)} names a sample twice"))
            else:
                chosen[min(found)] = rest
        return chosen, problems

    def pairs(self, folder: Path) -> tuple[list[Pair], list[DataError]]:
        """Return the image and mask that each line names, and what is wrong with lines."""
        pairs: dict[Path, Pair] = {}
        problems = []
        for line in self.lines:
            two = image_and_mask(folder, line)
            if two is None:
                problems.append(self._no_pair(folder, line))
            elif two[0] in pairs:
                problems.append(self.problem(f"{quoted(line)} names a sample twice"))
            else:
                pairs[two[0]] = Pair(sample_name(two[0], folder), *two)
        return list(pairs.values()), problems

    def _no_pair(self, folder: Path, line: str) -> DataError:
        """Return the error of a line that does not name an image and a mask that exist."""
        for gap in [*_GAP.finditer(line)][:_MOST_GAPS]:
            image = locate(folder, line[: gap.start()])
            if image and not locate(folder, line[gap.end() :]):
                found = f"{quoted(line)} names the photo {image}, but its mask does not exist"
                return self.problem(found, "an existing mask after the photo")
        found = f"{quoted(line)} does not name an image and a mask that exist"
        expected = '"IMAGE MASK", paths within the data set'
        return self.problem(found, expected, "correct the line or delete it")

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
    """Return the image and the mask that a line names; None if it does not name two files.

    Further columns may hold numbers, but no third file: which one is the mask would be a guess.
    """
    gaps = [*_GAP.finditer(line)][:_MOST_GAPS]
    for dangling in (False, True):
        images = [(g, locate(folder, line[: g.start()], dangling)) for g in gaps]
        for gap, image in images:
            mask = locate(folder, line[gap.end() :], dangling) if image else None
            if image and mask:
                return image, mask
    for gap, image in ((g, locate(folder, line[: g.start()])) for g in gaps):
        for end in gaps if image else ():
            mask = (
                locate(folder, line[gap.end() : end.start()]) if end.start() > gap.end() else None
            )
            if image and mask and _are_numbers(line[end.end() :]):
                return image, mask
    return None


def _are_numbers(text: str) -> bool:
    return all(re.fullmatch(r"[-+]?\d+(\.\d+)?", word) for word in _GAP.split(text.strip()) if word)


def _is_title(line: str) -> bool:
    """Return whether a line holds the titles of two or more columns ("image,mask")."""
    words = [word.strip().strip('"').casefold() for word in re.split(r"[,;\t|]", line)]
    return len(words) > 1 and all(word in _TITLES for word in words)


def _same_file(path: Path, *others: Path) -> bool:
    return any(os.path.realpath(path) == os.path.realpath(other) for other in others)


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
