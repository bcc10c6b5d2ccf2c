"""What the lines of a list mean: two files, or one of the pairs that there are."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from fullconv.errors import DataError
from fullconv.formats._files import located
from fullconv.formats._matching import bare_stem
from fullconv.formats._pairs import Line, Pair, folded, line_of, parts_of, place_in
from fullconv.formats._texts import text_of


def list_lines(path: Path) -> list[str]:
    """The lines of a list file, without blank ones."""
    return [line.strip() for line in text_of(path).splitlines() if line.strip()]


def two_files(folder: Path, line: str) -> tuple[Path, Path] | None:
    """The photo and the mask that a line of a list names; None where it is no such line."""
    for gap in re.finditer(r"[,;]\s*|\s+", line):
        photo = located(folder, line[: gap.start()])
        mask = located(folder, line[gap.end() :])
        if photo and mask:
            return photo, mask
    return None


def select(pairs: Sequence[Pair], path: Path, folder: Path) -> list[Pair]:
    """The pairs that a list of stems or file names means, in its order.

    Raises:
        DataError: a line names none of the pairs, or more than one, or one for the second time.
    """
    index = _index(pairs, folder)
    chosen: dict[str, Pair] = {}
    for line in list_lines(path):
        pair = _looked_up(index, line.split("\t")[0], path)
        if pair.name in chosen:
            raise DataError(f"{path}: {line!r} stands there twice; expected each sample once")
        chosen[pair.name] = pair
    return list(chosen.values())


def select_known(pairs: Sequence[Pair], path: Path, folder: Path) -> tuple[list[Pair], list[Line]]:
    """The pairs that a list means, and its faulty lines, each with what is wrong with it."""
    index = _index(pairs, folder)
    chosen: dict[str, Pair] = {}
    faulty: list[Line] = []
    for line in list_lines(path):
        try:
            pair = _looked_up(index, line.split("\t")[0], path)
        except DataError as error:
            faulty.append(line_of(path, error))
            continue
        if pair.name in chosen:
            faulty.append((path, f"{line!r} stands there twice"))
        chosen[pair.name] = pair
    return list(chosen.values()), faulty


def _looked_up(index: Mapping[str, list[Pair]], line: str, path: Path) -> Pair:
    keys = [folded(line), folded(line.split(maxsplit=1)[0])]
    found = next((index[key] for key in keys if key in index), [])
    if len(found) != 1:
        what = "no photo with a mask" if not found else f"{len(found)} photos"
        raise DataError(f"{path}: {line!r} is the name of {what}; expected exactly one")
    return found[0]


def _index(pairs: Sequence[Pair], folder: Path) -> dict[str, list[Pair]]:
    index: dict[str, list[Pair]] = {}
    for pair in pairs:
        inside = place_in(pair.photo, folder)
        below = PurePosixPath(*parts_of(inside))
        keys = {pair.name, str(inside), str(below), below.name}
        keys |= {str(inside.with_suffix("")), str(below.with_suffix("")), below.stem}
        keys |= {bare_stem(below.stem, photo=True)}
        for key in {folded(key) for key in keys}:
            index.setdefault(key, []).append(pair)
    return index
