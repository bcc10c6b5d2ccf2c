"""One photo of many: from its file, through the model, to the files of its answer."""

import copy
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.areas import class_pixels, csv_lines
from fullconv.averaging import averaged, check_scales
from fullconv.engines.local import cores
from fullconv.errors import ConfigError, FullconvError, WeightsError
from fullconv.exported import Exported, open_model
from fullconv.images import decode_image, read_image
from fullconv.inputs import Input
from fullconv.layers import Chain
from fullconv.manifest import Answer, Failure, Job, Record
from fullconv.memory import SHARE, free_memory, parse_memory
from fullconv.model import Model, model_file
from fullconv.naming import fingerprint, share
from fullconv.optimizing import PAYS, Quick
from fullconv.prediction import Prediction
from fullconv.storage import Place, fetch, is_url, local_path, place
from fullconv.writers import writers

Image = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Loaded:
    """A photo, and the bytes of the file it came from."""

    image: Image
    bytes: int


class Twins:
    """A model for every thread that asks at the same time: they share the weights, and no more.

    To plan an answer, PyTorch puts other tensors into a network's layers for a moment, which no
    other thread may see.
    """

    def __init__(self, model: Model) -> None:
        self._model = model  # is copied, and never used: a copy is taken at any moment
        self._idle: list[Model] = []

    def optimize(self) -> None:
        """Prepare for many answers on this CPU; see `optimizing`."""
        self._model.optimize()

    @contextmanager
    def lent(self) -> Iterator[Model]:
        """One of them, for one answer."""
        try:
            twin = self._idle.pop()
        except IndexError:
            twin = self._twin()
        try:
            yield twin
        finally:
            self._idle.append(twin)

    def _twin(self) -> Model:
        model = self._model
        if isinstance(model, Exported):  # its engine allows several threads
            return model
        network = model.network
        shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        twin = copy.deepcopy(network, shared)
        if isinstance(network.quick, Quick) and isinstance(twin.backbone, Chain):
            twin.quick = replace(network.quick, chain=twin.backbone, rims={})
        return Model(twin, model.classes, model.palette, model.size)


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
        return _opened(str(self._from_here(self.model)), self.job.model, self.device)

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


def averaged_answer(
    model: Model, image: Image, scales: Sequence[float], memory: int | None = None
) -> Prediction:
    """The mean of a model's answers to a photo at several scales, as it is and mirrored."""
    plain = copy.copy(model)
    plain.size = None  # the views have the sizes that are wanted: fitted, all would be alike

    def score(view: Image) -> Float[Tensor, "K H W"]:
        answer = plain.predict(view, memory=memory, scores=True)
        assert answer.score is not None  # it was asked for
        return answer.score

    found = averaged(score, image, scales, size=model.size)
    return Prediction(image, found, model.classes, model.palette)


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


def file_fingerprint(path: str | Path) -> str:
    """One short word for a model's file: equal files have equal ones, wherever they lie."""
    file = model_file(Path(path))
    weights = file.with_suffix(".bin")  # OpenVINO keeps them beside its .xml
    files = (file, weights) if file.suffix == ".xml" and weights.is_file() else (file,)
    try:
        return _digest(*((part, part.stat().st_size, part.stat().st_mtime_ns) for part in files))
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=16)
def _digest(*files: tuple[Path, int, int]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:  # size and time are there for the cache
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


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


@lru_cache(maxsize=1)
def _opened(path: str, fingerprint: str, device: str) -> Twins:
    if file_fingerprint(path) != fingerprint:
        raise ConfigError(f"{path} is not the same model here as where the job was begun")
    model = open_model(path)
    model.network.to(device).eval()
    return Twins(model)
