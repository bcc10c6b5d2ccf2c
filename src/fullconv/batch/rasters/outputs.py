"""The files of a labelled raster: labels with tags, areas and polygons."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv._version import __version__
from fullconv.batch.fingerprint import content_digest
from fullconv.batch.rasters.parts import claimed_outputs, has_parts
from fullconv.batch.writers.geojson import PIXELS, geojson_lines
from fullconv.data.labels.polygonize import PIXEL_BYTES, tracing_bytes
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.inference.planner import Plan
from fullconv.io.atomic import replacing, write_text
from fullconv.io.output_text import csv_text
from fullconv.io.palettes import VOID
from fullconv.io.rasters import BLOCK, BandChoice, Raster, open_raster, read_tags
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
    raster: Raster,
    outputs: RasterOutputs,
    job: Mapping[str, Any],
    fresh: bool,
    own_derived: bool = False,
) -> bool:
    """Whether the labels of this job are already there; False if `fresh` replaces them.

    Args:
        raster: the source.
        outputs: the paths to write to.
        job: from `describe_job`.
        fresh: whether all that is there is replaced.
        own_derived: whether areas and polygons without labels are known to be of this job.

    Raises:
        ConfigError: another file is there, or the raster itself.
    """
    labels = outputs.labels
    if not labels.exists():
        # A run that is killed while it writes the files leaves a note of their names.
        known = claimed_outputs(labels, job)
        others = [] if fresh or own_derived else outputs.paths[1:]
        for path in others:
            if path.name not in known and path.exists():
                raise ConfigError(
                    f"{path} exists without {labels.name}, so it may be another program's; choose "
                    "another name with --out, or replace it with --fresh"
                )
        return False
    if labels.samefile(raster.path):
        raise ConfigError(f"{labels} is the raster itself; choose another name with --out")
    if fresh:
        return False
    if read_tags(labels).get("FULLCONV_JOB") == _key(job):
        return True
    if has_parts(labels, job):  # replacing it with --fresh was interrupted
        return False
    raise ConfigError(
        f"{labels} exists, and is not this model's prediction of this raster with these bands; "
        "choose another name with --out, or replace it with --fresh"
    )


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
    model: Model, raster: Raster, job: Mapping[str, Any], plan: Plan, seam: str
) -> dict[str, str]:
    """Return the tags of the label file.

    Args:
        model: predicted the labels.
        raster: the source.
        job: from `describe_job`.
        plan: how the network was computed.
        seam: how much overlapping tiles disagree; "" if none overlap.
    """
    parts = "exactly as if computed whole" if plan.exact else f"blended tiles; {seam}"
    return {
        "TIFFTAG_SOFTWARE": f"fullconv {__version__}",
        "FULLCONV_JOB": _key(job),
        "FULLCONV_MODEL": job["model"],
        "FULLCONV_CLASSES": json.dumps(model.classes, ensure_ascii=False),
        "FULLCONV_PROTOCOL": (
            f"{len(model.classes)} classes; 255 is no data; {raster.description}; every pixel at "
            f"the raster's own size, {parts}"
        ),
    }


def write_derived(
    raster: Raster,
    outputs: RasterOutputs,
    model: Model,
    budget: int,
    labels: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write areas and polygons, if they are wanted and missing.

    Args:
        raster: the source.
        outputs: the paths to write to.
        model: has the names and colours of the classes.
        budget: bytes that tracing the polygons may take.
        labels: the label file to derive them from; None is `outputs.labels`.
        overwrite: write them even if they exist.

    Raises:
        MemoryBudgetError: the regions are so many that their polygons take more than the budget.
        OutputError: they cannot be written.
    """
    with open_raster(labels or outputs.labels, BandChoice((1,))) as found:
        if outputs.areas and (overwrite or not outputs.areas.exists()):
            text = areas_csv(_count_labels(found), model.classes, raster.pixel_area)
            write_text(outputs.areas, text)
        if outputs.polygons and (overwrite or not outputs.polygons.exists()):
            transform, pixels = raster.transform or PIXELS, found.dataset.read(1)
            if (need := tracing_bytes(pixels)) > budget:
                raise MemoryBudgetError(
                    f"the predicted regions are so many that their polygons take about "
                    f"{format_bytes_up(need)}; --memory allows {format_bytes(budget)}: raise it, "
                    "which continues from the finished labels, or leave geojson out of --save"
                )
            lines = geojson_lines(pixels, model.classes, model.palette, transform, raster.crs_name)
            with replacing(outputs.polygons) as temporary, temporary.open("wb") as file:
                file.writelines(lines)


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
