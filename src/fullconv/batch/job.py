"""A job out of what a user asks for: its options, and what each answer may take of the machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fullconv.batch.fingerprint import file_fingerprint, fingerprint
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import Job
from fullconv.batch.sharding import share
from fullconv.batch.worker import Reading, Worker
from fullconv.hardware import SHARE, free_memory, usable_cores
from fullconv.inference.cpu.optimize import PAYS
from fullconv.inference.tta import check_scales
from fullconv.model import Model
from fullconv.units import parse_bytes

_AS_IT_IS = Reading()


def create_job(
    model: Model,
    path: str | Path,
    inputs: Sequence[Input],
    *,
    out: str | Path,
    kinds: Sequence[str] = ("labels", "overlay"),
    shard: tuple[int, int] = (0, 1),
    device: str = "cpu",
    threads: int | None = None,
    memory: str | None = None,
    scales: Sequence[float] = (),
    reading: Reading = _AS_IT_IS,
) -> Worker:
    """The work of answering some inputs with a model.

    Args:
        model: opened from `path`.
        path: a run folder, a .safetensors file or an exported one.
        inputs: all of them, over all shards.
        out: the folder or URL that the answers go to.
        kinds: of files to write, as in `writers`.
        shard: which part of the inputs, of how many parts.
        device: "cpu", "cuda", ...
        threads: of the CPU, for one photo. With fewer than there are cores, several photos are
            computed at once. None is as many as PyTorch uses now for a few photos, and one for
            many, which are done sooner side by side.
        memory: for all that is computed at once, such as "2GiB"; None is half of what is free.
        scales: of averaged answers; () averages nothing.
        reading: of rasters.

    Raises:
        ConfigError: a size or scales that cannot be meant.
    """
    if scales:
        check_scales(scales)
    media = [item.medium for item in inputs]
    many = media.count("photo") >= PAYS
    whole = threads or torch.get_num_threads()
    of_each = threads or (1 if many and device == "cpu" else whole)
    mine = share(inputs, shard)
    at_once = _at_once(mine, of_each) if device == "cpu" else 1
    job = Job(
        model=file_fingerprint(path),
        options=_options(kinds, scales, reading),
        classes=model.classes,
        inputs=len(inputs),
        ids=fingerprint(item.id for item in inputs),
        shard=shard,
        mine=len(mine),
        palette=model.palette,
    )
    return Worker(
        model=str(path),
        out=str(out),
        job=job,
        kinds=tuple(kinds),
        folder=os.getcwd(),
        device=device,
        threads=of_each,
        whole=whole,
        at_once=at_once,
        memory=_memory_of_each(memory, at_once),
        budget=memory,
        scales=tuple(scales),
        many=many or "video" in media,
        reading=reading,
    )


def _options(kinds: Sequence[str], scales: Sequence[float], reading: Reading) -> dict[str, Any]:
    """All that answers follow from, beside input and model."""
    options: dict[str, Any] = {"save": sorted(kinds)}
    if scales:
        options["scales"] = list(scales)
    if reading.bands:
        options["bands"] = list(reading.bands)
    if reading.limits:
        options["range"] = list(reading.limits)
    return options


def _at_once(inputs: Sequence[Input], threads: int) -> int:
    """Photos that are computed at the same time, each by so many threads."""
    photos = sum(item.medium == "photo" for item in inputs)
    return max(1, min(photos, usable_cores() // threads))


def _memory_of_each(memory: str | None, at_once: int) -> int | None:
    """The memory for one photo, where so many are computed at once; None is half of what is free.

    Raises:
        ConfigError: it is no size.
    """
    if memory is None and at_once == 1:
        return None
    whole = int(SHARE * free_memory()) if memory is None else parse_bytes(memory)
    return max(1, whole // at_once)
