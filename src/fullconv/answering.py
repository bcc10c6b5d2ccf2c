"""One photo of many: from its file, through the model, to the files of its answer."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fullconv.areas import class_pixels, csv_lines
from fullconv.averaging import check_scales
from fullconv.engines.local import cores
from fullconv.errors import FullconvError
from fullconv.identity import file_fingerprint
from fullconv.images import decode_image, read_image
from fullconv.inputs import Input
from fullconv.manifest import Answer, Failure, Job, Record
from fullconv.manyscales import averaged_answer
from fullconv.memory import SHARE, free_memory, parse_memory
from fullconv.model import Model
from fullconv.naming import fingerprint, share
from fullconv.optimizing import PAYS
from fullconv.prediction import Prediction
from fullconv.storage import Place, fetch, is_url, local_path, place
from fullconv.twins import Twins, open_twins
from fullconv.writers import writers

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Loaded:
    """A photo, and the bytes of the file it came from."""

    image: Image
    bytes: int


@dataclass(frozen=True)
class Answering:
    """Photos in, files of answers out: the work that an engine does.

    Attributes:
        model: a run folder, a .safetensors file or an exported one; every machine must see it.
        out: the folder or URL that the answers go to; every machine must see it.
        job: whose answers they are.
        kinds: of files to write, as in `writers`.
        folder: that paths start from.
        device: "cpu", "cuda", ...
        threads: of the CPU, that one photo's network uses.
        memory: bytes that one photo's computation may take; None is half of what is free.
        scales: at which each photo is answered, as it is and mirrored, to average the answers; ()
            is as it is only.
    """

    model: str
    out: str
    job: Job
    kinds: tuple[str, ...]
    folder: str = ""
    device: str = "cpu"
    threads: int = 1
    memory: int | None = None
    scales: tuple[float, ...] = ()

    @property
    def target(self) -> Place:
        """Where the answers go."""
        return place(self.out if is_url(self.out) else self._from_here(self.out))

    @property
    def gpus(self) -> float:
        """GPUs that one photo needs."""
        return 1.0 if self.device.startswith("cuda") else 0.0

    def prepare(self) -> None:
        """Load the model into this process."""
        # Even where it changes nothing: after a fork, PyTorch makes its pool of threads anew here,
        # and fails where two threads ask for it first.
        torch.set_num_threads(self.threads)
        for kind in self.kinds:  # imported here, before several threads ask for them
            _ = writers[kind]
        model = self._opened()
        if self.job.inputs >= PAYS:  # of the whole job, so that all of its answers are alike
            model.optimize()

    def _opened(self) -> Twins:
        return open_twins(str(self._from_here(self.model)), self.job.model, self.device)

    def _from_here(self, path: str | Path) -> Path:
        # As the user wrote it, where that is right: messages tell it.
        return Path(path) if os.getcwd() == self.folder else Path(self.folder, path)

    def read(self, item: Input) -> Loaded:
        """The photo, from a file or a URL."""
        own = local_path(item.where)
        if own is None:
            content = fetch(item.where)
            return Loaded(decode_image(content, item.where), len(content))
        path = self._from_here(own)
        return Loaded(read_image(path), path.stat().st_size)

    def compute(self, loaded: Loaded) -> Prediction:
        """The model's answer."""
        with self._opened().lent() as model:
            if self.scales:
                return averaged_answer(model, loaded.image, self.scales, self.memory)
            scores = any(writers[kind].scores for kind in self.kinds)
            return model.predict(loaded.image, memory=self.memory, scores=scores)

    def write(self, item: Input, loaded: Loaded, answer: Prediction) -> Answer:
        """Put the answer's files into their places."""
        target = self.target
        files = {kind: file_name(kind, item.name) for kind in self.kinds}
        for kind, name in files.items():
            target.write(name, writers[kind].encode(answer))
        pixels = dict(zip(answer.classes, class_pixels(answer), strict=True))
        height, width = answer.labels.shape
        key = self.job.key(item.id)
        return Answer(
            id=item.id,
            path=item.where,
            name=item.name,
            key=key,
            height=height,
            width=width,
            bytes=loaded.bytes,
            files=files,
            pixels=pixels,
            note=answer.note,
        )

    def failed(self, item: Input, error: Exception) -> Failure:
        """A record with the error's sentence."""
        if isinstance(error, FullconvError):
            return Failure(item.id, item.where, str(error))
        if isinstance(error, MemoryError) or "not enough memory" in str(error):
            return Failure(item.id, item.where, f"{item.where}: there is not enough memory for it")
        what = f"{type(error).__name__}: {error}"
        return Failure(item.id, item.where, f"{item.where}: an error that nobody expected ({what})")


def work_of(
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
) -> Answering:
    """The work of answering some inputs with a model.

    Args:
        model: opened from `path`.
        path: a run folder, a .safetensors file or an exported one.
        inputs: all of them, over all shards.
        out: the folder or URL that the answers go to.
        kinds: of files to write, as in `writers`.
        shard: which part of the inputs, of how many parts.
        device: "cpu", "cuda", ...
        threads: of the CPU, for one photo; None is as many as PyTorch uses now. With fewer than
            there are cores, several photos are computed at once.
        memory: for all that is computed at once, such as "2GiB"; None is half of what is free.
        scales: of averaged answers; () averages nothing.

    Raises:
        ConfigError: a size or scales that cannot be meant.
    """
    threads = threads or torch.get_num_threads()
    options: dict[str, Any] = {"save": sorted(kinds)}
    if scales:
        check_scales(scales)
        options["scales"] = list(scales)
    job = Job(
        model=file_fingerprint(path),
        options=options,
        classes=model.classes,
        inputs=len(inputs),
        ids=fingerprint(item.id for item in inputs),
        shard=shard,
        mine=len(share(inputs, shard)),
    )
    return Answering(
        model=str(path),
        out=str(out),
        job=job,
        kinds=tuple(kinds),
        folder=os.getcwd(),
        device=device,
        threads=threads,
        memory=_memory_of_each(memory, threads),
        scales=tuple(scales),
    )


def areas(records: Iterable[Record], classes: Sequence[str]) -> bytes:
    """areas.csv of some answers; failures have no row."""
    answered = (one for one in records if isinstance(one, Answer))
    rows = ((one.id, list(one.pixels.values())) for one in answered)
    return "".join(csv_lines(rows, classes)).encode()


def file_name(kind: str, name: str) -> str:
    """Where the file of one kind of an answer lies, below the place."""
    return f"{kind}/{name}{writers[kind].suffix}"


def _memory_of_each(memory: str | None, threads: int) -> int | None:
    """The memory for one photo, where several are computed at once; None is half of what is free.

    Raises:
        ConfigError: it is no size.
    """
    at_once = max(1, cores() // threads)
    if memory is None and at_once == 1:
        return None
    whole = int(SHARE * free_memory()) if memory is None else parse_memory(memory)
    return max(1, whole // at_once)
