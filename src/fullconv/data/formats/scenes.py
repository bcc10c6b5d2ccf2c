"""scenes:N: synthetic street scenes, drawn when they are read, so a demo needs no download."""

import re
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import SPLITS
from fullconv.data.formats import Format, formats
from fullconv.data.sample import Data, Pair, Sample
from fullconv.data.synthetic import CLASSES, PALETTE, draw, scene_name
from fullconv.errors import DataError, NoSplitError

MOST = (
    1_000_000  # scenes of one data set; the test scenes are numbered after it, so none is in train
)


def open_scenes(rest: str, split: str | None) -> Data:
    """Open N scenes: "200", "200@240x320" (height x width), "200#7" (seed), "200@240x320#7".

    Args:
        rest: what follows "scenes:".
        split: "train" (the first 80 %), "val" (the rest), "test" (N // 4 more), None (all N).

    Raises:
        DataError: a number out of its range, or another split.
    """
    count, height, width, seed = _parse(rest)
    indices = _indices(count, split)
    return Data(
        source=f"scenes:{rest}",
        split=split,
        classes=CLASSES,
        palette=PALETTE,
        names=tuple(scene_name(index) for index in indices),
        read=lambda place: draw(seed, indices[place], height, width),
    )


def scan(rest: str) -> Inventory:
    """List the drawn scenes of train, val and test; `rest` is what follows "scenes:".

    Raises:
        DataError: a number out of its range.
    """
    count, height, width, seed = _parse(rest)
    indices: dict[str, int] = {}

    def read(pair: Pair) -> Sample:
        return draw(seed, indices[pair.name], height, width)

    inventory = Inventory(
        Path(f"scenes:{rest}"),
        "scenes",
        lambda masks, read: (CLASSES, PALETTE, None),
        len(CLASSES),
        files=False,
        read=read,
    )
    for split in SPLITS if count > 1 else (None,):
        names = {scene_name(index): index for index in _indices(count, split)}
        indices |= names
        pairs = [Pair(name, Path(name), Path(name)) for name in names]
        inventory.splits |= {split: pairs} if split else {}
        inventory.pairs += pairs if split != "test" else []
    return inventory


formats.register("scenes")(
    Format(
        summary="drawn street scenes, scenes:N[@HxW][#SEED]",
        scan=scan,
        recognises=lambda folder: False,
        open=open_scenes,
        located=False,
    )
)


def _parse(rest: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"(\d{1,9})(?:@(\d{1,9})x(\d{1,9}))?(?:#(\d{1,9}))?", rest, re.ASCII)
    if not found:
        raise DataError(
            f"scenes:{rest} is not scenes:N, the number of scenes",
            expected=(
                "e.g. scenes:200, scenes:200@240x320 (height x width) or scenes:200@240x320#7 "
                "(seed)"
            ),
        )
    count, height, width, seed = (int(n) for n in found.groups(default="0"))
    if not 1 <= count <= MOST:
        raise DataError(
            f"scenes:{rest} asks for {count:,} scenes",
            expected=f"1 to {MOST:,}",
        )
    if not found[2]:
        height, width = 120, 160
    if not (16 <= height <= 2048 and 16 <= width <= 2048):
        raise DataError(
            f"scenes:{rest} asks for scenes of {height} x {width} pixels (height x width)",
            expected="16 to 2048 a side",
        )
    return count, height, width, seed


def _indices(count: int, split: str | None) -> range:
    splits = {
        "train": range(count * 4 // 5),
        "val": range(count * 4 // 5, count),
        "test": range(MOST, MOST + max(count // 4, 1)),
    }
    if split is None:
        return range(count)
    if split not in splits:
        raise NoSplitError("scenes", split, splits)
    if count < 2:
        raise DataError(
            f"scenes:{count} is too few to split",
            expected="scenes:2 or more",
        )
    return splits[split]
