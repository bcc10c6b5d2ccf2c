"""Label a raster of any size: a GeoTIFF in, a Cloud-Optimized GeoTIFF of labels out.

The work is divided into parts of whole rows. A part depends on the raster and the model alone, and
is kept once it is complete, so an interrupted run resumes to the same bytes.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.batch.rasters.begun import check_engine, check_memory, engine_of
from fullconv.batch.rasters.outputs import (
    RasterOutputs,
    check_polygon_memory,
    describe_job,
    is_finished,
    label_tags,
    write_derived,
)
from fullconv.batch.rasters.parts import PartStore, open_parts, remove_parts
from fullconv.batch.rasters.row_labels import RowLabeller, context_rows
from fullconv.batch.shared_model import unoptimized
from fullconv.engines import TITLES
from fullconv.errors import MemoryBudgetError
from fullconv.hardware import SHARE, free_memory
from fullconv.inference.planner import (
    Plan,
    plan,
    plan_raster,
    raster_windows,
    window_counts,
    window_rows,
)
from fullconv.io.atomic import explained, remove_temporaries, replacing
from fullconv.io.images import ScaledImage, fit_size
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
from fullconv.units import parse_bytes
from fullconv.weights.fingerprint import model_fingerprint

MAX_MEMORY = 2 * 2**30  # bytes, by default; more makes parts larger, and a kill costs a part
CONTEXTS = 16  # rows of a part, in rows of context: at most 1/16 of the work is done twice


@dataclass(frozen=True)
class RasterProgress:
    """Progress of labelling a raster.

    Attributes:
        done: pixels that are labelled, or have no data.
        pixels: of the raster.
        note: a sentence for the user; mostly "".
    """

    done: int
    pixels: int
    note: str = ""


def label_raster(
    model: Model,
    source: Path,
    target: RasterOutputs | Path,
    *,
    memory: int | str | None = None,
    band_choice: BandChoice = OWN_BANDS,
    fingerprint: str | None = None,
    fresh: bool = False,
    rows: int | None = None,
    own: bool = False,
) -> Generator[RasterProgress, None, None]:
    """Label a raster by windows at its own size; an interrupted run is resumed.

    The network gets the raster scaled by the model's `input_scale`, and its scores are brought back
    to the raster's size. The model's engine computes it where that takes less time, which follows
    from the raster's size and the memory (`plan_raster`); otherwise PyTorch's layers do.

    Pixels without data become void (255), and blocks without any data are not computed. The label
    file appears when the iterator is exhausted.

    Args:
        model: predicts the labels.
        source: a GeoTIFF, or another TIFF, PNG or JPEG, of any size.
        target: the files to write; a path is that of the labels.
        memory: limit besides the network, in bytes or as "2GiB"; None is 2 GiB, or half of the free
            memory if that is less.
        band_choice: bands and value range; what it leaves open is as in the model's training.
        fingerprint: identifies the model; None computes it from the weights.
        fresh: start over, and replace what is there.
        rows: of a part; None chooses it so that little is computed twice.
        own: whether areas, polygons and labels with fullconv's tags that are there are known to be
            of this job, and are replaced if they are not what it would write.

    Raises:
        ImageError: the raster cannot be read.
        DataError: its bands or their range have to be chosen.
        ConfigError: the memory is too little, a file of `target` is not of this job, or it was
            begun with another engine.
        OutputError: the files cannot be written.
    """
    outputs = RasterOutputs(target) if isinstance(target, Path) else target
    budget = _memory_budget(memory)
    model.network.eval()
    choice = band_choice.or_else(model.band_choice)
    with open_raster(source, choice) as raster, block_cache(raster.dataset, budget) as cache:
        job = describe_job(raster, fingerprint or model_fingerprint(model))
        check_polygon_memory(raster, outputs, budget)
        if is_finished(raster, outputs, job, fresh, own):
            write_derived(raster, outputs, model, budget, replaced=own)
            remove_parts(outputs.labels)
            pixels = _count_pixels(raster)
            yield RasterProgress(pixels, pixels, f"{outputs.labels} is already complete")
            return

        def divide() -> dict[str, Any]:
            return _divide(model, raster, budget, cache, rows)

        with (
            open_parts(outputs.labels, job, divide, fresh) as parts,
            _use_threads(parts.plan["threads"]),
        ):
            for path in outputs.paths:
                remove_temporaries(path)
            if fresh:  # also if this run is killed and another resumes it
                parts.claim(path.name for path in outputs.paths)
            check_memory(parts.plan, memory, budget, outputs.labels)
            check_engine(parts.plan, model, outputs.labels)
            yield from _label_parts(model, raster, parts)
            yield from _write_outputs(model, raster, outputs, parts, job, budget)


def _label_parts(model: Model, raster: Raster, parts: PartStore) -> Iterator[RasterProgress]:
    """Compute all parts that are missing."""
    network_plan = _network_plan(parts)
    spans = list(_spans(raster.size[0], parts.plan["rows"]))
    missing = [number for number in range(len(spans)) if not parts.has(number)]
    width, total = raster.size[1], _count_pixels(raster)
    done = total - sum((spans[number][1] - spans[number][0]) * width for number in missing)
    counts = (len(spans) - len(missing), len(spans))
    by = parts.plan.get("engine", "")
    yield RasterProgress(done, total, _describe(model, raster, network_plan, by, counts))
    if not missing:
        return
    network = model.network
    if not by:
        network = unoptimized(model).network
    else:
        found = raster_windows(network, network_plan.size, tuple(parts.plan["windows"]))
        network_plan = replace(network_plan, windows=found)
    read = ScaledImage(raster.read, raster.size, network_plan.size)
    labeller = RowLabeller(network, read, network_plan, BLOCK)
    for number in missing:
        top, bottom = spans[number]
        labels, before, overlap = _void_where_no_data(raster, top, bottom), done, (0, 0)
        for progress in labeller.fill(labels, top):
            done, overlap = done + progress.pixels, progress.overlap
            yield RasterProgress(done, total)
        parts.keep(number, (row.tobytes() for row in labels), overlap)
        done = before + (bottom - top) * width
        yield RasterProgress(done, total)


def _write_outputs(
    model: Model,
    raster: Raster,
    outputs: RasterOutputs,
    parts: PartStore,
    job: dict[str, Any],
    budget: int,
) -> Iterator[RasterProgress]:
    """Write the files; the labels appear last, as the sign that all are complete."""
    count = len(list(_spans(raster.size[0], parts.plan["rows"])))
    compared, differing = np.sum([parts.counts(number) for number in range(count)], axis=0)
    seam = f"overlapping tiles disagree at {differing / compared:.2%}" if compared else ""
    # PyTorch is named where the job has another engine.
    by = TITLES.get(parts.plan.get("engine") or ("torch" if engine_of(model) else ""), "")
    tags = label_tags(model, raster, job, _network_plan(parts), seam, by)
    finished = parts.folder / "labels.tif"
    with explained(outputs.labels):
        rows = _read_rows(parts, count, raster.size[1])
        write_cog(finished, parts.folder, raster, LabelStyle(model.palette, tags), rows)
    parts.claim(path.name for path in outputs.paths[1:])
    write_derived(raster, outputs, model, budget, finished, replaced=True)
    with replacing(outputs.labels) as temporary:
        os.replace(finished, temporary)
    parts.clear()
    pixels = _count_pixels(raster)
    yield RasterProgress(pixels, pixels, f"{seam} of their pixels" if seam else "")


def _void_where_no_data(raster: Raster, top: int, bottom: int) -> UInt8[np.ndarray, "rows W"]:
    """Return labels of some rows: 0 where there is data, else void."""
    labels = np.zeros((bottom - top, raster.size[1]), np.uint8)
    if raster.may_lack_data:
        for row in range(top, bottom, BLOCK):
            window = Window(row, 0, min(BLOCK, bottom - row), raster.size[1])
            labels[row - top : window.bottom - top][~raster.valid(window)] = VOID
    return labels


def _read_rows(parts: PartStore, count: int, width: int) -> Iterator[UInt8[np.ndarray, "rows W"]]:
    """Read the labels of all parts, `BLOCK` rows at a time."""
    waiting, size = bytearray(), BLOCK * width
    for number in range(count):
        for piece in parts.read(number):
            waiting += piece
            while len(waiting) >= size:
                yield np.frombuffer(bytes(waiting[:size]), np.uint8).reshape(-1, width)
                del waiting[:size]
    if waiting:
        yield np.frombuffer(bytes(waiting), np.uint8).reshape(-1, width)


def _divide(
    model: Model, raster: Raster, memory: int, cache: int, rows: int | None
) -> dict[str, Any]:
    """Decide all that must stay the same when the run is resumed, as JSON."""
    height, width = raster.size
    size = fit_size(raster.size, None, model.input_scale)
    threads = torch.get_num_threads()
    # Scores that are resized would have to be held for the whole raster.
    by_engine = plan_raster(model.network, size, memory, cache) if size == raster.size else None
    if by_engine and by_engine.windows:
        return {
            "rows": rows or window_rows(by_engine.windows),
            "threads": threads,
            "network": asdict(replace(by_engine, windows=None)),
            "windows": window_counts(by_engine.windows),
            "engine": engine_of(model).name,
        }
    least = BLOCK * width  # bytes of the labels of the smallest part
    label_memory = max(least, (memory - cache) // 8)
    given = unoptimized(model).network, size, memory
    options: Any = {"resized": raster.size, "whole_width": True}
    try:
        network_plan = plan(*given, **options, held=cache + label_memory)
    except MemoryBudgetError:
        label_memory = least
        network_plan = plan(*given, **options, held=cache + label_memory)
    if network_plan.kind == "whole":
        rows = height
    if rows is None:
        wanted = CONTEXTS * context_rows(given[0], network_plan)
        rows = min(ceil(wanted / BLOCK), max(1, label_memory // width // BLOCK)) * BLOCK
    return {"rows": max(1, rows), "threads": threads, "network": asdict(network_plan)}


def _network_plan(parts: PartStore) -> Plan:
    stored = dict(parts.plan["network"])
    pairs = {name: tuple(stored[name]) for name in ("size", "resized") if stored[name]}
    return Plan(**{**stored, **pairs})


def _spans(height: int, rows: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


def _describe(
    model: Model, raster: Raster, network_plan: Plan, by: str, parts: tuple[int, int]
) -> str:
    """Describe how the raster is read and computed, as far as the user has to know.

    Args:
        model: predicts the labels.
        raster: the source.
        network_plan: how the network is computed.
        by: the name of the engine; "" for PyTorch.
        parts: how many are complete, and of how many.
    """
    obvious = raster.dataset.count in (1, 3) and not raster.value_range
    sentences = [] if obvious else [raster.description]
    if parts[0]:
        sentences.append(f"resuming: {parts[0]} of {parts[1]} parts are complete")
    if model.size:
        height, width = model.size
        sentences.append(
            f"the model was trained on images scaled to fit {height} x {width}; a raster is "
            "predicted at its own size"
        )
    if model.input_scale != 1:
        sentences.append(f"computed at {model.input_scale:g} times its size, as in training")
    if by:
        sentences.append(f"computed by {TITLES[by]}")
    elif engine := engine_of(model):
        why = f"which takes less work or memory than {engine.title}"
        if model.input_scale != 1:
            why = f"since {engine.title} computes rasters at their own size only"
        sentences.append(f"computed by PyTorch, {why}")
    return "; ".join((*sentences, network_plan.note) if network_plan.note else sentences)


def _count_pixels(raster: Raster) -> int:
    return raster.size[0] * raster.size[1]


def _memory_budget(memory: int | str | None) -> int:
    if memory is not None:
        return parse_bytes(memory)
    return min(MAX_MEMORY, int(SHARE * free_memory()))


@contextmanager
def _use_threads(count: int) -> Iterator[None]:
    """Compute with as many threads as the finished parts: floating-point sums depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
