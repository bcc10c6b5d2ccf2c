"""A prediction job: its model, options, outputs and share of this machine's resources."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.batch.fingerprint import ids_fingerprint
from fullconv.batch.inputs import Input
from fullconv.batch.job_engine import JobPlace, choose_job_engine, job_workload
from fullconv.batch.left_out import LeftOut
from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.memory_gate import InputMemory
from fullconv.batch.photo_memory import plan_photo, predict_photo
from fullconv.batch.sharding import select_shard
from fullconv.batch.shared_model import open_model, unoptimized
from fullconv.batch.writers import Writer, writers
from fullconv.engines.choose import choose_engine
from fullconv.engines.running import RunningEngine
from fullconv.errors import ConfigError, ImageError
from fullconv.hardware import MAX_THREADS, SHARE, free_memory, usable_cores
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.inference.predictor import Prediction
from fullconv.inference.tta import check_scales
from fullconv.io.images import Header
from fullconv.io.rasters import OWN_BANDS, BandChoice
from fullconv.io.storage import Place, is_url, local_path, open_place
from fullconv.model import Model
from fullconv.units import parse_bytes
from fullconv.weights.fingerprint import file_fingerprint

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class PredictionJob:
    """Everything that is the same for all inputs of a job; can be pickled and sent to machines.

    Attributes:
        model: a run folder, a .safetensors file or an exported file that every machine can read.
        out: the output folder or URL, reachable from every machine.
        description: what predict.json holds.
        kinds: output kinds, as in `writers`.
        folder: the working directory that relative paths start from.
        device: "cpu", "cuda", ...
        threads: CPU threads per photo.
        large_threads: CPU threads for a raster or a video, which run alone.
        at_once: photos computed at the same time, sharing the memory.
        memory: bytes for one photo; None is half of the free memory.
        budget: memory for all photos computed at once, as the user wrote it.
        scales: TTA scales, each also mirrored; () turns TTA off.
        optimize: whether the job is large enough to optimize the network for this CPU first.
        band_choice: how rasters are read, and photos with more than 8 bits scaled.
    """

    model: str
    out: str
    description: JobDescription
    kinds: tuple[str, ...]
    folder: str = ""
    device: str = "cpu"
    threads: int = 1
    large_threads: int = 1
    at_once: int = 1
    memory: int | None = None
    budget: str | None = None
    scales: tuple[float, ...] = ()
    optimize: bool = False
    band_choice: BandChoice = OWN_BANDS

    @property
    def target(self) -> Place:
        """The place that predictions are written to."""
        return _place(self.out, self.folder)

    def for_large_inputs(self) -> "PredictionJob":
        """Return the job for inputs that are predicted one at a time, with the whole machine."""
        memory = None if self.budget is None else parse_bytes(self.budget)
        return replace(self, threads=self.large_threads, memory=memory, at_once=1)

    def prepare(self) -> None:
        """Load the model and the writers into this process; repeated calls cost nothing."""
        # Even if the number stays the same: after a fork PyTorch creates its thread pool again, and
        # crashes if two threads use it first.
        torch.set_num_threads(self.threads)
        for kind in self.kinds:  # imported here, before several threads ask for them
            _ = writers[kind]
        model = self.open()
        # Decided for the whole job, so all its predictions are computed alike.
        if self.description.engine_pixels:
            self._use_engine(model)
        elif not model.exported:
            model.network.engine = None
        if self.optimize and not model.exported:
            model.optimize("torch")

    def _use_engine(self, model: Model) -> None:
        """Let the job's engine compute the model; repeated calls cost nothing."""
        settled = self.description.engine, self.description.engine_pixels, self.threads
        engine = model.network.engine
        if not isinstance(engine, RunningEngine) or engine.settings != settled:
            model.choice = choose_engine(
                model.network, self.description.engine, most_pixels=self.description.engine_pixels
            )

    def open(self) -> Model:
        """Return the model, which all threads of this process share."""
        return open_model(str(self._resolve(self.model)), self.description.model, self.device)

    def unoptimized(self) -> Model:
        """Return the model, not optimized for many predictions."""
        return unoptimized(self.open())

    def plan(self, header: Header, at_once: int) -> InputMemory:
        """Plan the memory of a photo, one of `at_once` that share it.

        Raises:
            MemoryBudgetError: it takes more than the budget.
        """
        given = self.open(), header, self.outputs, self.scales or None
        return plan_photo(*given, self.share * at_once, at_once, self.budget is not None)

    def predict(self, image: Image, memory: int | None) -> Prediction:
        """Predict a photo or a frame with this job's options.

        Args:
            image: RGB in [0, 255].
            memory: bytes; None for half of the free memory.
        """
        return predict_photo(self.open(), image, self.outputs, self.scales or None, memory)

    @property
    def outputs(self) -> list[Writer]:
        """What is encoded of each photo."""
        return [writers[kind] for kind in self.kinds]

    @property
    def share(self) -> int:
        """The bytes for one photo."""
        return self.memory or int(SHARE * free_memory())

    def input_path(self, item: Input) -> Path:
        """Return the path of an input's file.

        Raises:
            ImageError: the input is a URL.
        """
        path = local_path(item.where)
        if path is None:
            raise ImageError(f"{item.where}: a {item.medium} must be a local file")
        return self._resolve(path)

    def record(self, item: Input, **facts: Any) -> PredictionRecord:
        """Return the manifest entry of a predicted input.

        Args:
            item: the input.
            facts: the remaining attributes of `PredictionRecord`.
        """
        return PredictionRecord(
            id=item.id,
            path=item.where,
            name=item.name,
            key=self.description.key(item.id),
            **facts,
        )

    def _resolve(self, path: str | Path) -> Path:
        return _resolve(path, self.folder)


def _place(out: str, folder: str) -> Place:
    return open_place(out if is_url(out) else _resolve(out, folder))


def _resolve(path: str | Path, folder: str) -> Path:
    # Unchanged in the same working directory, since messages show the path.
    return Path(path) if os.getcwd() == folder else Path(folder, path)


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
            once. None is one for many photos, which is faster, and PyTorch's setting for few.
        memory: for everything that is computed at once, e.g. "2GiB"; None is half of the free one.
        scales: TTA scales; () turns TTA off.
        band_choice: how rasters are read; what it leaves open is as in the model's training.
        left_out: what was found in folders beside the inputs.
        engine: "auto", "torch", "onnx" or "openvino".
        distributed: whether other machines compute photos too.
        fresh: whether the job starts over, whatever engine an earlier one had.
        announce: gets a line about the engine, and one before something that takes seconds.

    Raises:
        ConfigError: the memory, the threads, the scales or the engine are invalid.
    """
    if scales:
        check_scales(scales)
    band_choice = band_choice.or_else(model.band_choice)
    description = JobDescription(
        model=file_fingerprint(path),
        options=_describe_options(kinds, scales, band_choice),
        classes=model.classes,
        inputs=len(inputs),
        ids=ids_fingerprint(item.id for item in inputs),
        shard=shard,
        mine=len(select_shard(inputs, shard)),
        palette=model.palette,
        left_out=left_out.as_json() if left_out else {},
    )
    resources = _plan_resources(inputs, shard, device, threads, memory)
    workload = job_workload(model, select_shard(inputs, shard), scales, resources["at_once"])
    choice = choose_job_engine(
        model,
        engine,
        workload,
        JobPlace(_place(str(out), os.getcwd()), description, distributed, fresh, device),
        threads=resources["threads"],
        memory=None if memory is None else parse_bytes(memory),
        announce=announce,
    )
    if choice.most_pixels:
        resources["optimize"] = False  # its weights would only take memory
    return PredictionJob(
        model=str(path),
        out=str(out),
        description=replace(description, engine=choice.name, engine_pixels=choice.most_pixels),
        kinds=tuple(kinds),
        folder=os.getcwd(),
        device=device,
        budget=memory,
        scales=tuple(scales),
        band_choice=band_choice,
        **resources,
    )


def _plan_resources(
    inputs: Sequence[Input],
    shard: tuple[int, int],
    device: str,
    threads: int | None,
    memory: str | None,
) -> dict[str, Any]:
    """Decide threads, photos at once and memory: the fields of `PredictionJob` of these names."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads is {threads}; expected 1 to {MAX_THREADS}")
    media = [item.medium for item in inputs]
    many = media.count("photo") >= MIN_IMAGES
    large_threads = threads or torch.get_num_threads()
    photo_threads = threads or (1 if many and device == "cpu" else large_threads)
    photos = sum(item.medium == "photo" for item in select_shard(inputs, shard))
    at_once = 1 if device != "cpu" else max(1, min(photos, usable_cores() // photo_threads))
    return {
        "threads": photo_threads,
        "large_threads": large_threads,
        "at_once": at_once,
        "memory": _memory_per_photo(memory, at_once),
        "optimize": many or "video" in media,
    }


def _describe_options(
    kinds: Sequence[str], scales: Sequence[float], band_choice: BandChoice
) -> dict[str, Any]:
    """Return the options that predictions depend on, as predict.json stores them."""
    options: dict[str, Any] = {"save": sorted(kinds)}
    if scales:
        options["scales"] = list(scales)
    if band_choice.bands:
        options["bands"] = list(band_choice.bands)
    if band_choice.value_range:
        options["range"] = list(band_choice.value_range)
    return options


def _memory_per_photo(memory: str | None, at_once: int) -> int | None:
    """Return the bytes for one of `at_once` photos; None lets the planner use half of the free."""
    if memory is None and at_once == 1:
        return None
    total = int(SHARE * free_memory()) if memory is None else parse_bytes(memory)
    return max(1, total // at_once)
