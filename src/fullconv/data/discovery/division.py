"""Divide a data set that has been listed into its final splits, and add what none of them uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.left_out import unread
from fullconv.data.discovery.list_files import WHOLE
from fullconv.data.discovery.problems import UNION, Problem
from fullconv.data.discovery.splits import grouped_split
from fullconv.data.discovery.unused import unlisted, unused_photos
from fullconv.data.sample import Pair
from fullconv.errors import DataError


def complete(inventory: Inventory) -> None:
    """Divide a list of all samples if no list is for train; name the splits without samples.

    CVAT exports default.txt, and VOC has trainval.txt, which hold train and val together.
    """
    known = inventory.names()
    whole = next((name for name in WHOLE if name in inventory.splits), None)
    if whole and "train" not in known:
        held = {pair.photo for name in ("val", "test") for pair in inventory.splits.get(name, [])}
        free = [pair for pair in inventory.splits[whole] if pair.photo not in held]
        inventory.note = f" ({whole} is divided, since there is no list of train)"
        if "val" in known or not free:
            inventory.splits["train"] = free
        elif free:
            inventory.whole = whole
            inventory.divide(free)
        every = (None if p.split == whole else p.split for p in inventory.problems)
        problems = zip(inventory.problems, every, strict=True)
        inventory.problems = [replace(problem, split=split) for problem, split in problems]
    _add_left_out(inventory, by_hash=not (inventory.divided or inventory.whole))
    faulty = {problem.split for problem in inventory.problems if problem.fatal}
    for split, pairs in inventory.splits.items():
        if not pairs and not faulty & {split, None}:
            remedy = f"add photos and their labels to it, or remove it if there is no {split}"
            error = DataError(f"the split {split!r} has no samples", remedy=remedy)
            error.where, error.code = str(inventory.folder), "empty-split"
            inventory.problems.append(Problem(error, inventory.folder, split))


def regroup(inventory: Inventory, rule: str, groups: Callable[[str], str]) -> None:
    """Divide train and val anew, keeping groups together; test stays as it is.

    Raises:
        DataError: no two samples are of one group, or all are.
    """
    test = inventory.splits.get("test", [])
    held = {pair.photo for pair in test}
    free = [pair for pair in inventory.everything() if pair.photo not in held]
    parts = grouped_split([pair.name for pair in free], groups)
    inventory.splits, inventory.divided, inventory.note = {}, False, f" (divided by {rule})"
    inventory.add_parts(free, {name: indices for name, indices in parts.items() if indices})
    inventory.splits |= {"test": test} if test else {}
    _every_split(inventory)
    _add_left_out(inventory, by_hash=False)


def relist(inventory: Inventory, paths: Mapping[str, Path]) -> None:
    """Divide as the lists in splits/ say, which overrule the data set's own splits."""
    pairs = inventory.everything()
    inventory.splits, inventory.divided, inventory.note = {}, True, " (in splits/)"
    _every_split(inventory)
    inventory.add_lists(pairs, paths)


def _add_left_out(inventory: Inventory, by_hash: bool) -> None:
    """Add what no split uses.

    Args:
        inventory: takes the problems.
        by_hash: whether the splits follow from the hash of the names for want of lists.
    """
    undeclared = inventory.layout == "folders" and inventory.declared is None
    inventory.problems += unread(inventory.folder, inventory.everything(), by_hash, undeclared)
    samples: Sequence[Pair] = inventory.candidates or inventory.pairs
    inventory.problems += unlisted(inventory.folder, samples, inventory.splits, inventory.names())
    if inventory.names() - inventory.splits.keys() or not inventory.folder.is_dir():
        return  # a split that cannot be opened may use them
    samples = [*inventory.everything(), *inventory.candidates]
    known = {path for pair in samples for path in (pair.photo, pair.mask)}
    known |= {path for one in inventory.problems for path in (one.path, one.other) if path}
    known.update(inventory.no_samples)
    inventory.problems += unused_photos(
        inventory.folder, inventory.splits, samples, known, inventory.needed, inventory.suffixes
    )


def _every_split(inventory: Inventory) -> None:
    """Make the problems of the former splits concern all new ones."""
    former = [p for p in inventory.problems if p.error.code != "empty-split" and p.split != UNION]
    inventory.problems = [Problem(p.error, p.path, None, p.fatal, p.other) for p in former]
