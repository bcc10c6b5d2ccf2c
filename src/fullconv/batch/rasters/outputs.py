"""The files of a labelled raster: labels with tags, areas and polygons."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv._version import __version__
from fullconv.batch.fingerprint import content_digest
from fullconv.batch.own_files import check_own_files
from fullconv.batch.rasters.parts import claimed_outputs
from fullconv.batch.writers.geojson import PIXELS, geojson_lines
from fullconv.data.labels.polygonize import PIXEL_BYTES, tracing_bytes
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.inference.planner import Plan
from fullconv.io.atomic import replacing
from fullconv.io.output_text import csv_text
from fullconv.io.palettes import VOID
from fullconv.io.rasters import BLOCK, BandChoice, Raster, open_raster, read_tags
from fullconv.io.regular import open_regular
from fullconv.io.storage import Folder
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up


@dataclass(frozen=True)
class RasterOutputs:
    """The paths of a labelled raster's files.

    Attributes:
        labels: Cloud-Optimized GeoTIFF.
        areas: CSV with the pixels of each class, and square metres if the coordinates are lengths.
        polygons: GeoJSON in the raster's coordinates.
    """

    labels: Path
    areas: Path | None = None
    polygons: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(path for path in (self.labels, self.areas, self.polygons) if path)


def describe_job(raster: Raster, fingerprint: str) -> dict[str, Any]:
    """Collect everything that the labels depend on, as JSON; the model as its fingerprint."""
    return {
        "model": fingerprint,
        "bands": list(raster.bands),
        "range": list(raster.value_range) if raster.value_range else None,
        "mask band": raster.mask_band,
        "size": list(raster.size),
        "bytes": raster.path.stat().st_size,
        "content": content_digest(raster.path),
    }


def is_finished(
    raster: Raster, outputs: RasterOutputs, job: Mapping[str, Any], fresh: bool, own: bool
) -> bool:
    """Whether the labels of this job are already there, after checking that no other file is.

    Areas and polygons beside finished labels are checked by `write_derived`.

    Args:
        raster: the source.
        outputs: the paths to write to.
        job: from `describe_job`.
        fresh: whether all that is there is replaced; then False.
        own: whether areas, polygons and labels with fullconv's tags are known to be of this job.

    Raises:
        ConfigError: a file of another job is there, or the raster itself.
    """
    labels = outputs.labels
    if labels.exists() and labels.samefile(raster.path):
        raise ConfigError(f"{labels} is the raster itself; choose another name with --out")
    if fresh:
        return False
    tags = read_tags(labels) if labels.exists() else {}
    if tags.get("FULLCONV_JOB") == _key(job):
        return True
    # A run that is killed leaves a note of the files that it may replace.
    claimed = claimed_outputs(labels, job)
    for path in outputs.paths:
        _check_own(path, path.name in claimed or (own and (path != labels or bool(tags))))
    return False


def _check_own(path: Path, own: bool) -> None:
    """Check that a file is not there, or is the job's own.

    Raises:
        ConfigError: it is there.
    """
    names = (path.name,) if own else ()
    check_own_files(Folder(path.parent), (path.name,), names, "replace it with --fresh")


def check_polygon_memory(raster: Raster, outputs: RasterOutputs, budget: int) -> None:
    """Check, before any work is done, that polygons of few regions fit into the memory.

    Raises:
        MemoryBudgetError: they are wanted and do not fit.
    """
    need = PIXEL_BYTES * raster.size[0] * raster.size[1]
    if outputs.polygons and need > budget:
        raise MemoryBudgetError(
            f"polygons of {raster.size[0]} x {raster.size[1]} pixels take about "
            f"{format_bytes_up(need)}, since they are traced in one piece; --memory allows "
            f"{format_bytes(budget)}: raise it, or leave geojson out of --save"
        )


def label_tags(
    model: Model, raster: Raster, job: Mapping[str, Any], plan: Plan, seam: str, engine: str = ""
) -> dict[str, str]:
    """Return the tags of the label file.

    Args:
        model: predicted the labels.
        raster: the source.
        job: from `describe_job`.
        plan: how the network was computed.
        seam: how much overlapping tiles disagree; "" if none overlap.
        engine: title of what computed it; "" if only PyTorch could.
    """
    by = f", by {engine}" if engine else ""
    parts = "exactly as if computed whole" if plan.exact else f"blended tiles; {seam}"
    return {
        "TIFFTAG_SOFTWARE": f"fullconv {__version__}",
        "FULLCONV_JOB": _key(job),
        "FULLCONV_MODEL": job["model"],
        "FULLCONV_CLASSES": json.dumps(model.classes, ensure_ascii=False),
        "FULLCONV_PROTOCOL": (
            f"{len(model.classes)} classes; 255 is no data; {raster.description}; every pixel at "
            f"the raster's own size, {parts}{by}"
        ),
    }


def write_derived(
    raster: Raster,
    outputs: RasterOutputs,
    model: Model,
    budget: int,
    labels: Path | None = None,
    replaced: bool = False,
) -> None:
    """Write areas and polygons, if they are wanted and are not there already.

    Args:
        raster: the source.
        outputs: the paths to write to.
        model: has the names and colours of the classes.
        budget: bytes that tracing the polygons may take.
        labels: the label file to derive them from; None is `outputs.labels`.
        replaced: whether a file that is there, with another content, may be replaced.

    Raises:
        ConfigError: there is such a file; nothing is written.
        MemoryBudgetError: the regions are so many that their polygons take more than the budget.
        OutputError: they cannot be written.
    """
    with open_raster(labels or outputs.labels, BandChoice((1,))) as found:
        derived = [
            (path, pieces)
            for path, pieces in _derived_files(raster, found, outputs, model, budget)
            if not _holds(path, pieces)
        ]
        for path, _ in derived:
            _check_own(path, replaced)
        for path, pieces in derived:
            with replacing(path) as temporary, temporary.open("wb") as file:
                file.writelines(pieces())


def _derived_files(
    raster: Raster, labels: Raster, outputs: RasterOutputs, model: Model, budget: int
) -> Iterator[tuple[Path, Callable[[], Iterable[bytes]]]]:
    """Yield each path that is wanted beside the labels, and what makes the pieces of its bytes."""

    def areas() -> Iterable[bytes]:
        text = areas_csv(_count_labels(labels), model.classes, raster.pixel_area)
        return [text.encode("utf-8", "backslashreplace")]

    def polygons() -> Iterable[bytes]:
        transform, pixels = raster.transform or PIXELS, labels.dataset.read(1)
        if (need := tracing_bytes(pixels)) > budget:
            raise MemoryBudgetError(
                f"the predicted regions are so many that their polygons take about "
                f"{format_bytes_up(need)}; --memory allows {format_bytes(budget)}: raise it, "
                "which continues from the finished labels, or leave geojson out of --save"
            )
        return geojson_lines(pixels, model.classes, model.palette, transform, raster.crs_name)

    if outputs.areas:
        yield outputs.areas, areas
    if outputs.polygons:
        yield outputs.polygons, polygons


def _holds(path: Path, pieces: Callable[[], Iterable[bytes]]) -> bool:
    """Whether a file is there and has this content."""
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return all(file.read(len(piece)) == piece for piece in pieces()) and not file.read(1)


def areas_csv(counts: Sequence[int], classes: Sequence[str], pixel_area: float | None) -> str:
    """Format what each class covers: pixels, share of the pixels with data, and square metres.

    Args:
        counts: pixels of each label; those at 255 have no data.
        classes: their names.
        pixel_area: square metres of a pixel; None leaves the column out.
    """
    metres = [] if pixel_area is None else ["square metres"]
    rows: list[list[object]] = [["class", "label", "pixels", "share", *metres]]
    total = sum(counts[: len(classes)])
    for label, name in [*enumerate(classes), (VOID, "no data")]:
        share = "" if label == VOID or not total else f"{counts[label] / total:.6f}"
        area = [] if pixel_area is None else [f"{counts[label] * pixel_area:.2f}"]
        rows.append([name, label, counts[label], share, *area])
    return csv_text(rows)


def _count_labels(raster: Raster) -> list[int]:
    """Count the pixels of each label, 0 to 255."""
    height, width = raster.size
    counts = np.zeros(256, np.int64)
    for top in range(0, height, BLOCK):
        rows = ((top, min(height, top + BLOCK)), (0, width))
        counts += np.bincount(raster.dataset.read(1, window=rows).ravel(), minlength=256)
    found: list[int] = counts.tolist()
    return found


def _key(job: Mapping[str, Any]) -> str:
    """Hash a job; a copy of the raster has the same key."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]
