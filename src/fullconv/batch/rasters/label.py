"""A raster of any size labelled: a GeoTIFF in, a Cloud-Optimised GeoTIFF of labels out.

The work is done in parts of whole rows. Each part is a function of the raster and the model alone,
and is kept once it is whole, so that what a kill interrupts goes on to the same bytes.
"""

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.batch.fingerprint import model_fingerprint
from fullconv.batch.rasters.outputs import (
    Target,
    check_room,
    finished,
    job_of,
    tags_for,
    write_beside,
)
from fullconv.batch.rasters.parts import PartStore, forget, open_parts
from fullconv.batch.rasters.row_labels import Regional, context
from fullconv.errors import MemoryBudgetError
from fullconv.hardware import SHARE, free_memory
from fullconv.inference.planner import Plan, plan
from fullconv.io.atomic import explained, replacing
from fullconv.io.palettes import VOID
from fullconv.io.rasters import (
    BLOCK,
    OWN_BANDS,
    BandChoice,
    LabelStyle,
    Raster,
    block_cache,
    open_raster,
    write_cog,
)
from fullconv.io.window import Window
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up, parse_bytes

MEMORY = 2 * 2**30  # bytes; more only makes the parts larger that a kill costs
WASTE = 16  # times the rows that a part sees beside itself: the share that is computed twice


@dataclass(frozen=True)
class Progress:
    """How far a raster is labelled.

    Attributes:
        done: pixels that have their label, or have no data.
        pixels: all of them.
        note: what the user should know now, in a sentence; mostly "".
    """

    done: int
    pixels: int
    note: str = ""


def label_raster(
    model: Model,
    source: Path,
    target: Target | Path,
    *,
    memory: int | str | None = None,
    band_choice: BandChoice = OWN_BANDS,
    fingerprint: str | None = None,
    fresh: bool = False,
    rows: int | None = None,
) -> Generator[Progress, None, None]:
    """Label a raster window by window; what was begun before goes on.

    Pixels without data are void (255), and blocks without any are not computed. The labels'
    file is there when the iterator is exhausted, and not before.

    Args:
        model: answers it, at its own size.
        source: a GeoTIFF, or a TIFF, PNG or JPEG of any size.
        target: for the answer.
        memory: all of it may take beside the network, in bytes or as "2GiB"; None is 2 GiB, or
            half of what is free.
        band_choice: how the raster is read; the model's own fills in what it leaves open.
        fingerprint: says which model it is; None is computed from its weights.
        fresh: do all anew, in the place of what is there.
        rows: of a part; None leaves little to be computed twice.

    Raises:
        ImageError: the raster cannot be read.
        DataError: its bands or their range must be chosen.
        ConfigError: the memory is too little, or an answer of another kind is there.
        OutputError: the answer cannot be written.
    """
    target = Target(target) if isinstance(target, Path) else target
    budget = _budget(memory)
    model.network.eval()
    choice = band_choice.or_else(model.band_choice)
    with open_raster(source, choice) as raster, block_cache(raster.dataset, budget) as cache:
        job = job_of(raster, fingerprint or model_fingerprint(model))
        check_room(raster, target, budget)
        if finished(raster, target, job, fresh):
            forget(target.labels)
            write_beside(raster, target, model)
            yield Progress(_pixels(raster), _pixels(raster), f"{target.labels} is done already")
            return

        def planned() -> dict[str, Any]:
            return _plan(model, raster, budget - cache, rows)

        with (
            open_parts(target.labels, job, planned, fresh) as parts,
            _threads(parts.plan["threads"]),
        ):
            _check_memory(parts.plan, memory, budget, target.labels)
            yield from _answer(model, raster, parts)
            yield from _finish(model, raster, target, parts, job)


def _answer(model: Model, raster: Raster, parts: PartStore) -> Iterator[Progress]:
    """All parts that are not done."""
    planned = _planned(parts, raster)
    every = list(_spans(raster.size[0], parts.plan["rows"]))
    left = [number for number in range(len(every)) if not parts.has(number)]
    width, total = raster.size[1], _pixels(raster)
    done = total - sum((every[number][1] - every[number][0]) * width for number in left)
    yield Progress(done, total, _note(model, raster, planned, (len(every) - len(left), len(every))))
    regional = Regional(model.network, raster.read, planned, BLOCK) if left else None
    for number in left:
        assert regional is not None
        top, bottom = every[number]
        labels, before, seam = _void(raster, top, bottom), done, (0, 0)
        for share in regional.answer(labels, top):
            done, seam = done + share.pixels, share.seam
            yield Progress(done, total)
        parts.keep(number, (row.tobytes() for row in labels), seam)
        done = before + (bottom - top) * width
        yield Progress(done, total)


def _finish(
    model: Model, raster: Raster, target: Target, parts: PartStore, job: dict[str, Any]
) -> Iterator[Progress]:
    """From the parts to the files; the labels come last, since they say that all is there."""
    count = len(list(_spans(raster.size[0], parts.plan["rows"])))
    compared, differing = np.sum([parts.counts(number) for number in range(count)], axis=0)
    seam = f"overlapping tiles disagree at {differing / compared:.2%}" if compared else ""
    layer = LabelStyle(model.palette, tags_for(model, raster, job, _planned(parts, raster), seam))
    whole = parts.folder / "labels.tif"
    with explained(target.labels):
        write_cog(whole, parts.folder, raster, layer, _rows(parts, count, raster.size[1]))
    write_beside(raster, target, model, whole, anew=True)
    with replacing(target.labels) as temporary:
        os.replace(whole, temporary)
    parts.clear()
    note = f"{seam} of their pixels" if seam else ""
    yield Progress(_pixels(raster), _pixels(raster), note)


def _void(raster: Raster, top: int, bottom: int) -> UInt8[np.ndarray, "rows W"]:
    """Labels without a class: 0 where there is data, else void."""
    labels = np.zeros((bottom - top, raster.size[1]), np.uint8)
    if raster.may_lack_data:
        for row in range(top, bottom, BLOCK):
            window = Window(row, 0, min(BLOCK, bottom - row), raster.size[1])
            labels[row - top : window.bottom - top][~raster.valid(window)] = VOID
    return labels


def _rows(parts: PartStore, count: int, width: int) -> Iterator[UInt8[np.ndarray, "rows W"]]:
    """The parts' labels, `BLOCK` rows at a time."""
    waiting, size = bytearray(), BLOCK * width
    for number in range(count):
        for piece in parts.read(number):
            waiting += piece
            while len(waiting) >= size:
                yield np.frombuffer(bytes(waiting[:size]), np.uint8).reshape(-1, width)
                del waiting[:size]
    if waiting:
        yield np.frombuffer(bytes(waiting), np.uint8).reshape(-1, width)


def _plan(model: Model, raster: Raster, memory: int, rows: int | None) -> dict[str, Any]:
    """How to divide the work: all that must not change when it goes on."""
    height, width = raster.size
    kept = memory // 8  # for the labels of a part
    planned = plan(model.network, raster.size, max(1, memory - kept))
    if planned.kind == "whole":
        rows = height
    if rows is None:
        wanted = WASTE * context(model.network, planned)
        rows = min(ceil(wanted / BLOCK), max(1, kept // width // BLOCK)) * BLOCK
    network = {name: value for name, value in asdict(planned).items() if name != "size"}
    return {"rows": max(1, rows), "threads": torch.get_num_threads(), "network": network}


def _planned(parts: PartStore, raster: Raster) -> Plan:
    return Plan(**{**parts.plan["network"], "size": raster.size})


def _spans(height: int, rows: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


def _note(model: Model, raster: Raster, planned: Plan, done: tuple[int, int]) -> str:
    plain = raster.dataset.count in (1, 3) and not raster.value_range
    said = [] if plain else [raster.description]
    if done[0]:
        said.append(f"going on: {done[0]} of {done[1]} parts are done")
    if model.size:
        height, width = model.size
        said.append(
            f"the model learned from photos scaled to fit {height} x {width}; a raster is answered "
            "at its own size"
        )
    return "; ".join((*said, planned.note) if planned.note else said)


def _pixels(raster: Raster) -> int:
    return raster.size[0] * raster.size[1]


def _budget(memory: int | str | None) -> int:
    return parse_bytes(memory) if memory is not None else min(MEMORY, int(SHARE * free_memory()))


def _check_memory(
    planned: Mapping[str, Any], memory: int | str | None, budget: int, target: Path
) -> None:
    peak = planned["network"]["peak"]
    if memory is not None and peak > budget:
        raise MemoryBudgetError(
            f"{target} was begun with more memory: its parts take {format_bytes_up(peak)}, and "
            f"{format_bytes(budget)} is given; give that much, or begin anew with --fresh"
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with as many threads as the parts that are done: sums depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
