"""Train and val as the lists in splits/ say, whatever else a format's own files or folders say."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fullconv.errors import DataError, NoSplitError
from fullconv.formats._inventory import Inventory
from fullconv.formats._layout import canonical
from fullconv.formats._lines import list_lines
from fullconv.formats._pairs import Line, folded
from fullconv.images import SUFFIXES
from fullconv.sample import Data


def own_lists(folder: Path) -> dict[str, Path]:
    """The lists that `convert-data --splits-only` wrote to splits/; split -> file."""
    files = sorted((folder / "splits").glob("*.txt"))
    lists = {canonical(path.stem) or path.stem: path for path in files}
    return lists if {"train", "val"} & lists.keys() else {}


def listed_data(
    source: str, lists: Mapping[str, Path], opened: Callable[[str | None], Data], split: str | None
) -> Data:
    """One split of a data set, as its list says; None is all of it.

    Raises:
        NoSplitError: no list has this name.
        DataError: a line is the name of no sample, or stands there twice.
    """
    whole = opened(None)
    if split is None:
        return whole
    name = split if split in lists else canonical(split) or split
    if name not in lists:
        raise NoSplitError(source, split, lists, " (in splits/)")
    places, faulty = _places(lists[name], whole.names)
    for path, sentence in faulty:
        raise DataError(
            f"{path}: {sentence}; expected names such as {whole.names[0]!r}, each once: correct "
            "the list, or delete splits/"
        )
    part = whole.take(places)
    return Data(part.source, split, part.classes, part.palette, part.names, part.read)


def relist(stock: Inventory, lists: Mapping[str, Path]) -> None:
    """Divide an inventory as the lists say."""
    free = {pair.name: pair for pairs in stock.splits.values() for pair in pairs}
    stock.splits, stock.divided = {}, True
    for name, path in lists.items():
        places, faulty = _places(path, [*free])
        stock.splits[name] = [[*free.values()][place] for place in places]
        stock.lines += faulty


def _places(path: Path, names: Sequence[str]) -> tuple[list[int], list[Line]]:
    index = {folded(name): place for place, name in enumerate(names)}
    found: dict[int, None] = {}
    faulty: list[Line] = []
    for line in list_lines(path):
        bare = line[: line.rindex(".")] if line.lower().endswith(SUFFIXES) else line
        place = index.get(folded(line), index.get(folded(bare)))
        if place is None or place in found:
            what = "is the name of no sample" if place is None else "stands there twice"
            faulty.append((path, f"{line!r} {what}"))
        else:
            found[place] = None
    return [*found], faulty
