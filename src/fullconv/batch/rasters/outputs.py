"""The files of a labelled raster: the labels with what they say of themselves, areas, polygons."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv._version import __version__
from fullconv.batch.rasters.parts import begun
from fullconv.batch.writers.geojson import PIXELS, geojson_lines
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.inference.planner import Plan
from fullconv.io.atomic import replacing, write_text
from fullconv.io.palettes import VOID
from fullconv.io.rasters import BLOCK, BandChoice, Raster, open_raster, read_tags
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up

TRACED = 8  # bytes a pixel that tracing polygons takes


@dataclass(frozen=True)
class Target:
    """Where the answer to a raster goes.

    Attributes:
        labels: the Cloud-Optimised GeoTIFF.
        areas: a CSV of each class' pixels, and square metres where the coordinates are lengths.
        polygons: a GeoJSON in the raster's coordinates.
    """

    labels: Path
    areas: Path | None = None
    polygons: Path | None = None


def finished(raster: Raster, target: Target, job: Mapping[str, Any], fresh: bool) -> bool:
    """Whether the answer is there already.

    Args:
        raster: that is answered.
        target: says where.
        job: from `job_of`.
        fresh: whether what is there may be written over.

    Raises:
        ConfigError: something else is there, or the raster itself.
    """
    labels = target.labels
    if not labels.exists():
        return False
    if labels.samefile(raster.path):
        raise ConfigError(f"{labels} is the raster itself; choose another name with --out")
    if fresh:
        return False
    if read_tags(labels).get("FULLCONV_JOB") == _key(job):
        return True
    if begun(labels, job):  # it was to be written over, and that was interrupted
        return False
    raise ConfigError(
        f"{labels} is there, and is not this model's answer to this raster with these bands; "
        "choose another name with --out, or write over it with --fresh"
    )


def write_beside(
    raster: Raster, target: Target, model: Model, labels: Path | None = None, anew: bool = False
) -> None:
    """Write areas and polygons, as far as they are not there.

    Args:
        raster: that was answered.
        target: says where they go.
        model: names and colours of the classes.
        labels: the file of labels that they are made of; None is the target's.
        anew: write them also where they are there.

    Raises:
        OutputError: they cannot be written.
    """
    with open_raster(labels or target.labels, BandChoice((1,))) as found:
        if target.areas and (anew or not target.areas.exists()):
            write_text(target.areas, areas_csv(counted(found), model.classes, raster.pixel_area))
        if target.polygons and (anew or not target.polygons.exists()):
            whole = found.dataset.read(1)
            lines = geojson_lines(
                whole, model.classes, model.palette, raster.transform or PIXELS, raster.crs_name
            )
            with replacing(target.polygons) as temporary, temporary.open("wb") as file:
                file.writelines(lines)


def areas_csv(counts: Sequence[int], classes: Sequence[str], square_metres: float | None) -> str:
    """How much each class covers: pixels, share of those with data, and square metres.

    Args:
        counts: pixels of each class, then at 255 those without data.
        classes: their names.
        square_metres: of a pixel; None leaves the column out.
    """
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    metres = [] if square_metres is None else ["square metres"]
    out.writerow(["class", "label", "pixels", "share", *metres])
    seen = sum(counts[: len(classes)])
    for label, name in enumerate([*classes, "no data"]):
        label = VOID if label == len(classes) else label
        share = "" if label == VOID or not seen else f"{counts[label] / seen:.6f}"
        area = [] if square_metres is None else [f"{counts[label] * square_metres:.2f}"]
        out.writerow([name, label, counts[label], share, *area])
    return stream.getvalue()


def counted(labels: Raster) -> list[int]:
    """The pixels of each label, 0 to 255."""
    height, width = labels.size
    found = np.zeros(256, np.int64)
    for top in range(0, height, BLOCK):
        rows = ((top, min(height, top + BLOCK)), (0, width))
        found += np.bincount(labels.dataset.read(1, window=rows).ravel(), minlength=256)
    counts: list[int] = found.tolist()
    return counts


def check_room(raster: Raster, target: Target, budget: int) -> None:
    """Refuse polygons that the memory does not allow, before any work is done.

    Raises:
        MemoryBudgetError: they are asked for and do not fit.
    """
    need = TRACED * raster.size[0] * raster.size[1]
    if target.polygons and need > budget:
        raise MemoryBudgetError(
            f"polygons of {raster.size[0]} x {raster.size[1]} pixels take about "
            f"{format_bytes_up(need)}, since they are traced in one piece; --memory allows "
            f"{format_bytes(budget)}: raise it, or leave geojson out of --save"
        )


def tags_for(
    model: Model, raster: Raster, job: Mapping[str, Any], plan: Plan, seam: str
) -> dict[str, str]:
    """The tags of the labels' file.

    Args:
        model: that answered.
        raster: that it answered.
        job: from `job_of`.
        plan: of the network's parts.
        seam: how far overlapping tiles disagree; "" where none overlap.
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


def job_of(raster: Raster, fingerprint: str) -> dict[str, Any]:
    """All that the labels depend on.

    Args:
        raster: that is answered.
        fingerprint: says which model it is.
    """
    known = raster.path.stat()
    return {
        "model": fingerprint,
        "bands": list(raster.bands),
        "range": list(raster.value_range) if raster.value_range else None,
        "mask band": raster.mask_band,
        "size": list(raster.size),
        "bytes": known.st_size,
        "last change": str(np.datetime64(known.st_mtime_ns, "ns")),
    }


def _key(job: Mapping[str, Any]) -> str:
    """One word for a job; copying the raster does not change it."""
    lasting = {name: value for name, value in job.items() if name != "last change"}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]
