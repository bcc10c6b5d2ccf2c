"""Parse split lists (train.txt): one parser for every format."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fullconv.data.discovery.pairing import (
    Line,
    bare_stem,
    folded,
    line_of,
    located,
    parts_of,
    place_in,
)
from fullconv.data.sample import Pair
from fullconv.errors import DataError, NoSplitError
from fullconv.io.text import text_of


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
            raise DataError(
                f"{line!r} stands there twice",
                expected="each sample once",
                where=path,
            )
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
        raise DataError(
            f"{line!r} is the name of {what}",
            expected="exactly one",
            where=path,
        )
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


PHOTOS = (".jpg", ".jpeg", ".png")


def by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files in `folder` that end so, by their stem; empty where there is no such folder."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return {path.stem: path for path in files}


def listed(path: Path) -> list[str]:
    """The stems in a list; what follows the first word of a line does not count.

    Raises:
        DataError: a stem stands there twice.
    """
    words = [line.split()[0] for line in list_lines(path)]
    stems = [word.replace("\\", "/").rpartition("/")[2] for word in words]
    stems = [stem.removesuffix(".jpg").removesuffix(".png").removesuffix(".mat") for stem in stems]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(
            f"{twice} stands there twice",
            expected="each name once",
            where=path,
        )
    return stems


def joined(
    stems: Iterable[str], photos: Mapping[str, Path], masks: Mapping[str, Path], where: Path
) -> list[Pair]:
    """The pairs of these stems.

    Raises:
        DataError: one has no photo or no mask; `where` is the list that names it.
    """
    stems = list(stems)
    for what, there in (("photo", photos), ("mask", masks)):
        missing = [stem for stem in stems if stem not in there]
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            place = next(iter(there.values())).parent if there else "the data set, which has none"
            raise DataError(
                f"{len(missing)} of {len(stems)} names have no {what}: {shown}",
                expected=f"{what}s of these names in {place}",
                where=where,
            )
    return [Pair(stem, photos[stem], masks[stem]) for stem in stems]


def chosen_list(lists: Mapping[str, Path], split: str, folder: Path) -> Path:
    """The list of a split.

    Raises:
        NoSplitError: there is none; the message names those there are.
    """
    if split not in lists:
        raise NoSplitError(folder, split, sorted(lists))
    return lists[split]


def nothing(folder: Path, name: str, expected: str) -> DataError:
    """The error for a folder that is none of format `name`."""
    inside = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else []
    what = f"holds {', '.join(inside) or 'nothing'}" if folder.is_dir() else "is no folder"
    return DataError(f"{folder} {what}, which is not the layout of {name}", expected=expected)
