"""Create a prediction job: describe it, plan its resources, choose its engine."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fullconv.batch.fingerprint import ids_fingerprint
from fullconv.batch.inputs import Input
from fullconv.batch.job import PredictionJob, open_target
from fullconv.batch.job_engine import (
    JobPlace,
    choose_job_engine,
    job_workload,
    typical_size,
)
from fullconv.batch.job_resources import plan_resources
from fullconv.batch.left_out import LeftOut
from fullconv.batch.manifest import JobDescription
from fullconv.batch.sharding import select_shard
from fullconv.config import RGB
from fullconv.errors import ConfigError
from fullconv.inference.tta_scales import check_scales
from fullconv.io.images import describe_channels
from fullconv.io.rasters import OWN_BANDS, BandChoice
from fullconv.io.storage import local_path
from fullconv.model import Model
from fullconv.units import parse_bytes
from fullconv.weights.fingerprint import file_fingerprint


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
    band_choice: BandChoice = OWN_BANDS,
    head: str = "",
    left_out: LeftOut | None = None,
    engine: str = "torch",
    distributed: bool = False,
    fresh: bool = False,
    announce: Callable[[str], None] = lambda text: None,
) -> PredictionJob:
    """Create the job that predicts `inputs` with the model loaded from `path`.

    Args:
        model: loaded from `path`.
        path: a run folder, a .safetensors file or an exported file.
        inputs: the inputs of all shards.
        out: the output folder or URL.
        kinds: output kinds, as in `writers`.
        shard: index and number of shards.
        device: "cpu", "cuda", ...
        threads: CPU threads per photo; if fewer than the cores, several photos are computed at
            once. None is a share of the cores for many photos, as many at a time as the memory
            holds whole, which is faster, and PyTorch's setting for few.
        memory: for everything that is computed at once, e.g. "2GiB"; None is half of the free one.
        scales: TTA scales; () turns TTA off.
        band_choice: how rasters are read; what it leaves open is as in the model's training.
        head: the name of the model's head in its file, if the model is one of several there.
        left_out: what was found in folders beside the inputs.
        engine: "auto", "torch", "onnx" or "openvino".
        distributed: whether other machines compute photos too.
        fresh: whether the job starts over, whatever engine an earlier one had.
        announce: gets a line about the engine, and one before something that takes seconds.

    Raises:
        ConfigError: the memory, the threads, the scales or the engine are invalid, or the model
            takes channels that the inputs do not have.
    """
    if scales:
        check_scales(scales)
    _check_channels(model, inputs)
    band_choice = band_choice.or_else(model.band_choice)
    mine = select_shard(inputs, shard)
    options = _describe_options(kinds, scales, band_choice, head)
    described = _describe(model, path, options, inputs, len(mine), shard, left_out)
    size = typical_size(model, mine)
    largest = max(scales, default=1.0)
    scaled = round(largest * size[0]), round(largest * size[1])
    resources = plan_resources(model, scaled, inputs, mine, device, threads, memory)
    choice = choose_job_engine(
        model,
        engine,
        job_workload(mine, size, scales, resources.at_once),
        JobPlace(open_target(str(out), os.getcwd()), described, distributed, fresh, device),
        threads=resources.threads,
        memory=None if memory is None else parse_bytes(memory),
        announce=announce,
    )
    if choice.most_pixels:
        resources = replace(resources, optimize=False)  # its weights would only take memory
    return PredictionJob(
        model=str(path),
        out=str(out),
        description=replace(described, engine=choice.name, engine_pixels=choice.most_pixels),
        kinds=tuple(kinds),
        folder=os.getcwd(),
        device=device,
        budget=memory,
        scales=tuple(scales),
        band_choice=band_choice,
        inputs=model.inputs,
        head=head,
        **asdict(resources),
    )


def _check_channels(model: Model, inputs: Sequence[Input]) -> None:
    """Refuse a model of channels that neither photos nor folders beside them have."""
    if model.channels == RGB:
        return
    what = describe_channels(model.channels, model.inputs)
    if not model.inputs:
        raise ConfigError(
            f"the model takes {what}, and does not say which files hold them; predict arrays: "
            "fullconv.load(MODEL).predict(array)"
        )
    for item in inputs:
        if item.medium != "photo" or local_path(item.where) is None:
            raise ConfigError(
                f"{item.where} is not a photo on this machine; the model takes {what}, which are "
                "read from folders beside photos"
            )


def _describe(
    model: Model,
    path: str | Path,
    options: dict[str, Any],
    inputs: Sequence[Input],
    mine: int,
    shard: tuple[int, int],
    left_out: LeftOut | None,
) -> JobDescription:
    """Return what predict.json holds of a shard of `mine` inputs, before the engine is chosen."""
    return JobDescription(
        model=file_fingerprint(path),
        options=options,
        classes=model.classes,
        inputs=len(inputs),
        ids=ids_fingerprint(item.id for item in inputs),
        shard=shard,
        mine=mine,
        palette=model.palette,
        left_out=left_out.as_json() if left_out else {},
        heads=model.heads,
    )


def _describe_options(
    kinds: Sequence[str], scales: Sequence[float], band_choice: BandChoice, head: str
) -> dict[str, Any]:
    """Return the options that predictions depend on, as predict.json stores them."""
    options: dict[str, Any] = {"save": sorted(kinds)}
    if scales:
        options["scales"] = list(scales)
    if band_choice.bands:
        options["bands"] = list(band_choice.bands)
    if band_choice.value_range:
        options["range"] = list(band_choice.value_range)
    if head:
        options["head"] = head
    return options
