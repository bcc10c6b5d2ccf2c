"""One photo of many: from its file, through the model, to the files of its answer."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.batch.class_areas import class_pixels
from fullconv.batch.inputs import Input
from fullconv.batch.manifest import FailureRecord, Job, PredictionRecord
from fullconv.batch.model_pool import ModelPool, open_twins
from fullconv.batch.writers import writers
from fullconv.errors import FullconvError, ImageError, MemoryBudgetError
from fullconv.hardware import usable_cores
from fullconv.inference.predictor import Prediction
from fullconv.io.images import decode_image, read_image
from fullconv.io.storage import Place, fetch, is_url, local_path, place
from fullconv.model import Model, averaged_answer
from fullconv.units import parse_bytes

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Loaded:
    """A photo, and the bytes of the file it came from."""

    image: Image
    bytes: int


@dataclass(frozen=True)
class Reading:
    """How rasters are read.

    Attributes:
        bands: numbers of those that are red, green and blue, or the one that is grey; None is the
            file's own, if there is no doubt.
        limits: the values that become 0 and 255; None keeps values of 8 bits.
    """

    bands: tuple[int, ...] | None = None
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Worker:
    """Photos in, files of answers out: the work that an engine does.

    Attributes:
        model: a run folder, a .safetensors file or an exported one; every machine must see it.
        out: the folder or URL that the answers go to; every machine must see it.
        job: whose answers they are.
        kinds: of files to write, as in `writers`.
        folder: that paths start from.
        device: "cpu", "cuda", ...
        threads: of the CPU, that one photo's network uses.
        whole: of the CPU, that a raster or a video uses, while nothing else is answered.
        at_once: photos that are computed at the same time, and share the memory.
        memory: bytes that one photo's computation may take; None is half of what is free.
        budget: for all that is computed at once, as the user said it; None is half of what is free.
        scales: at which each photo is answered, as it is and mirrored, to average the answers; ()
            is as it is only.
        many: whether there are so many answers that a network prepared for them pays.
        reading: of rasters.
    """

    model: str
    out: str
    job: Job
    kinds: tuple[str, ...]
    folder: str = ""
    device: str = "cpu"
    threads: int = 1
    whole: int = 1
    at_once: int = 1
    memory: int | None = None
    budget: str | None = None
    scales: tuple[float, ...] = ()
    many: bool = False
    reading: Reading = Reading()

    @property
    def target(self) -> Place:
        """Where the answers go."""
        return place(self.out if is_url(self.out) else self._from_here(self.out))

    @property
    def gpus(self) -> float:
        """GPUs that one photo needs."""
        return 1.0 if self.device.startswith("cuda") else 0.0

    def alone(self) -> "Worker":
        """The same for inputs that are answered one by one, and have the whole machine."""
        memory = None if self.budget is None else parse_bytes(self.budget)
        return replace(self, threads=self.whole, memory=memory, at_once=1)

    def prepare(self) -> None:
        """Load the model into this process."""
        # Even where it changes nothing: after a fork, PyTorch makes its pool of threads anew here,
        # and fails where two threads ask for it first.
        torch.set_num_threads(self.threads)
        for kind in self.kinds:  # imported here, before several threads ask for them
            _ = writers[kind]
        twins = self._twins()
        if self.many:  # of the whole job, so that all of its answers are alike
            twins.optimize()

    @contextmanager
    def borrow(self) -> Iterator[Model]:
        """A model that no other thread uses meanwhile."""
        with self._twins().borrow() as model:
            yield model

    def fresh(self) -> Model:
        """A model of its own, that nothing is prepared in."""
        return self._twins().fresh()

    def _twins(self) -> ModelPool:
        return open_twins(str(self._from_here(self.model)), self.job.model, self.device)

    def _from_here(self, path: str | Path) -> Path:
        # As the user wrote it, where that is right: messages tell it.
        return Path(path) if os.getcwd() == self.folder else Path(self.folder, path)

    def path_of(self, item: Input) -> Path:
        """The input's file.

        Raises:
            ImageError: it lies behind a URL.
        """
        own = local_path(item.where)
        if own is None:
            raise ImageError(f"{item.where}: a {item.medium} is read from this machine only")
        return self._from_here(own)

    def read(self, item: Input) -> Loaded:
        """The photo, from a file or a URL."""
        if local_path(item.where) is None:
            content = fetch(item.where)
            return Loaded(decode_image(content, item.where), len(content))
        path = self.path_of(item)
        return Loaded(read_image(path), path.stat().st_size)

    def compute(self, loaded: Loaded) -> Prediction:
        """The model's answer."""
        with self.borrow() as model:
            return self.answer(model, loaded.image)

    def answer(self, model: Model, image: Image) -> Prediction:
        """A model's answer to a photo or a frame."""
        if self.scales:
            return averaged_answer(model, image, self.scales, self.memory)
        scores = any(writers[kind].scores for kind in self.kinds)
        return model.predict(image, memory=self.memory, scores=scores)

    def write(self, item: Input, loaded: Loaded, answer: Prediction) -> PredictionRecord:
        """Put the answer's files into their places."""
        target, files = self.target, files_of(item, self.kinds)
        for kind, name in files.items():
            target.write(name, writers[kind].encode(answer))
        height, width = answer.labels.shape
        return self.record(
            item,
            height=height,
            width=width,
            bytes=loaded.bytes,
            files=files,
            pixels=dict(zip(answer.classes, class_pixels(answer), strict=True)),
            note=answer.note,
        )

    def record(self, item: Input, **found: Any) -> PredictionRecord:
        """What is known of an answered input.

        Args:
            item: the input.
            found: the attributes of `PredictionRecord` that the answer tells.
        """
        return PredictionRecord(
            id=item.id, path=item.where, name=item.name, key=self.job.key(item.id), **found
        )

    def failed(self, item: Input, error: Exception) -> FailureRecord:
        """A record with the error's sentence."""
        if isinstance(error, FullconvError):
            said = str(error)
            if isinstance(error, MemoryBudgetError) and self.at_once > 1:
                said += (
                    f", or say --threads {usable_cores()}: {self.at_once} photos at a time share "
                    f"{self.budget or 'half of what is free'}"
                )
            return FailureRecord(
                item.id, item.where, said if item.where in said else f"{item.where}: {said}"
            )
        if isinstance(error, MemoryError) or "not enough memory" in str(error):
            return FailureRecord(
                item.id, item.where, f"{item.where}: there is not enough memory for it"
            )
        what = f"{type(error).__name__}: {error}"
        return FailureRecord(
            item.id, item.where, f"{item.where}: an error that nobody expected ({what})"
        )


def files_of(item: Input, kinds: Sequence[str]) -> dict[str, str]:
    """Where the files of an input's answer lie below the place, by their kind.

    A raster has labels and areas, and polygons if they are asked for; a video has one of overlays.
    """
    name = item.name
    if item.medium == "video":
        return {"video": f"video/{name}.mp4"}
    if item.medium == "raster":
        polygons = {"geojson": f"geojson/{name}.geojson"} if "geojson" in kinds else {}
        return {"labels": f"labels/{name}.tif", "areas": f"areas/{name}.csv", **polygons}
    return {kind: f"{kind}/{name}{writers[kind].suffix}" for kind in kinds}
