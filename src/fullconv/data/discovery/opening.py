"""Open one split of a data set that has been listed, or all of its samples."""

from collections.abc import Iterator
from dataclasses import replace

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.left_out import sentences
from fullconv.data.discovery.list_files import SPLITS
from fullconv.data.discovery.problems import UNION, summary
from fullconv.data.labels.masks import PairwiseReader, create_data, read_raw
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.units import count


def open_split(inventory: Inventory, source: str, split: str | None) -> Data:
    """Return the samples of one split; None is all of them.

    Raises:
        NoSplitError: there is no such split.
        DataError: the split, or the whole data set, has a fatal problem.
    """
    name = inventory.known(split)
    _raise_first(inventory, name)
    pairs = inventory.everything() if name is None else inventory.splits.get(name, [])
    if not pairs:
        what = "the data set" if split is None else f"the split {split!r}"
        raise DataError(f"{what} has no samples", where=inventory.folder)
    masks = [*dict.fromkeys(pair.mask for pair in inventory.everything())]
    classes, palette, table = inventory.resolve(masks, read_raw)
    if inventory.read is None:
        assert table is not None
        data = create_data(source, split, pairs, classes, palette, table)
    else:
        names = tuple(pair.name for pair in pairs)
        read = PairwiseReader(tuple(pairs), inventory.read)
        data = Data(source, split, classes, palette, names, read)
    found = inventory.photo_range
    notes = filter(None, (table.note if table else "", found.warning, *_shared(inventory, name)))
    return replace(
        data,
        heads=inventory.heads,
        photos=tuple(pair.photo for pair in pairs) if inventory.files else (),
        band_choice=inventory.band_choice or found.choice,
        warnings=(*sentences(inventory.problems, name, inventory.folder), *notes),
    )


def _shared(inventory: Inventory, split: str | None) -> Iterator[str]:
    """Yield a sentence for each other split that has photos of train, if `split` is train."""
    if split != "train":
        return
    photos = {pair.photo for pair in inventory.splits["train"]}
    for other in SPLITS[1:]:
        both = [pair.name for pair in inventory.splits.get(other, ()) if pair.photo in photos]
        if both:
            names = ", ".join(both[:3]) + (", ..." if len(both) > 3 else "")
            yield (
                f"{count(len(both), 'photo')} of train in {other} too ({names}), so metrics on "
                f"{other} are too high; remove them from one of the two"
            )


def _raise_first(inventory: Inventory, split: str | None) -> None:
    problems = [problem for problem in inventory.problems if problem.fatal]
    if split is None and inventory.pairs:  # not made of the splits
        problems = [problem for problem in problems if problem.split in (None, UNION)]
    elif split is None:
        problems = [problem for problem in problems if problem.error.code != "empty-split"]
    else:
        problems = [problem for problem in problems if problem.split in (None, split)]
    if problems:
        raise summary(problems, inventory.folder)
