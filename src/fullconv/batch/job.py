"""A prediction job: its model, options, outputs and share of this machine's resources."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.batch.inputs import Input
from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.batch.memory_gate import InputMemory
from fullconv.batch.names import output_files
from fullconv.batch.photo_memory import need_scores, plan_photo, predict_photo
from fullconv.batch.shared_model import Computation, open_computed
from fullconv.batch.writers import Writer, writers
from fullconv.engines.running import RunningEngine
from fullconv.errors import ImageError, MemoryBudgetError
from fullconv.hardware import SHARE, free_memory
from fullconv.inference.prediction import Prediction
from fullconv.io.images import ExtraInput, Header, input_file
from fullconv.io.rasters import OWN_BANDS, BandChoice
from fullconv.io.storage import Place, is_url, local_path, open_place
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up, parse_bytes

Image = UInt8[np.ndarray, "H W C"]


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
        inputs: channels after red, green and blue, read from folders beside a photo's.
        head: the only one of several whose classes are predicted; "" for all that there are.
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
    inputs: tuple[ExtraInput, ...] = ()
    head: str = ""

    @property
    def target(self) -> Place:
        """The place that predictions are written to."""
        return open_target(self.out, self.folder)

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
        self.open()

    def open(self) -> Model:
        """Return the model, which all threads of this process share."""
        return self._opened

    @cached_property
    def _opened(self) -> Model:
        # Kept here, since another job may be at work in turn with this one.
        description = self.description
        computation = Computation(
            description.engine, description.engine_pixels, self.threads, self.optimize
        )
        path = str(self._resolve(self.model))
        return open_computed(path, description.model, self.device, self.head, computation)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: each process opens the model itself."""
        return {name: value for name, value in vars(self).items() if name != "_opened"}

    def plan(self, header: Header, at_once: int) -> InputMemory:
        """Plan the memory of a photo, one of `at_once` that share it.

        Raises:
            MemoryBudgetError: it takes more than the budget.
        """
        if self.budget is not None:
            self._check_engine_memory(header.size, self.share * at_once)
        given = self.open(), header, self.outputs, self.scales or None
        return plan_photo(*given, self.share * at_once, at_once, self.budget is not None)

    def predict(self, image: Image, memory: int | None) -> Prediction:
        """Predict a photo or a frame with this job's options.

        Args:
            image: in [0, 255], with the channels that the model takes.
            memory: bytes; None for half of the free memory.

        Raises:
            MemoryBudgetError: it takes more.
        """
        if memory is not None:  # a frame of a video has not been planned
            self._check_engine_memory(image.shape[:2], memory + image.nbytes)
        return predict_photo(self.open(), image, self.outputs, self.scales or None, memory)

    def _check_engine_memory(self, size: tuple[int, ...], total: int) -> None:
        """Check that the engine of a job that was begun with more memory does not take it.

        Raises:
            MemoryBudgetError: it takes more than `total` bytes for an image of `size`.
        """
        model, scales, (height, width) = self.open(), self.scales or None, size
        engine = None if model.exported else model.network.engine
        if not isinstance(engine, RunningEngine) or engine.memory <= total:
            return
        if not model.engine_takes(size, scales):
            return
        scores, held = need_scores(self.outputs), model.channels * height * width
        need = model.plan_memory((height, width), scales=scales, scores=scores, held=held)
        if need > total:
            raise MemoryBudgetError(
                f"the job was begun with more memory: an image of {height} x {width} pixels takes "
                f"{format_bytes_up(need)}, and the memory given is {format_bytes(total)}; raise "
                "--memory, or start over with --fresh"
            )

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

    def input_files(self, photo: Path) -> list[Path]:
        """Return the files of the channels after red, green and blue that belong to a photo.

        Raises:
            ImageError: one of them is missing.
        """
        return [input_file(photo, extra) for extra in self.inputs]

    def output_files(self, item: Input) -> dict[str, str]:
        """Return an input's output files: kind -> path below the output folder."""
        return output_files(item, self.kinds, self.description.head_names)

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


def open_target(out: str, folder: str) -> Place:
    """Return the place that a job writes to, whose path is relative to `folder`."""
    return open_place(out if is_url(out) else _resolve(out, folder))


def _resolve(path: str | Path, folder: str) -> Path:
    # Unchanged in the same working directory, since messages show the path.
    return Path(path) if os.getcwd() == folder else Path(folder, path)
