"""Choose the engine of a prediction job; a job that was begun keeps to its own."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv.batch.inputs import Input
from fullconv.batch.manifest import JobDescription, read_job, read_jobs
from fullconv.config import Size
from fullconv.engines import AUTO, EngineChoice, check_engine
from fullconv.engines.choose import choose_engine
from fullconv.engines.workload import USUAL_SIZE, Workload
from fullconv.errors import ConfigError, FullconvError
from fullconv.io.images import fit_size, peek_header
from fullconv.io.storage import Place, local_path
from fullconv.model import Model

LOOKED_AT = 5  # photos whose sizes tell that of the others
FRAMES = 300  # of a video, assumed


@dataclass(frozen=True)
class JobPlace:
    """Where a job writes, and what its engine depends on beside the model and the photos.

    Attributes:
        target: the output folder or store.
        description: of the job, before its engine is chosen.
        distributed: whether other machines compute photos too.
        fresh: whether earlier predictions are removed first.
        device: "cpu", "cuda", ...
    """

    target: Place
    description: JobDescription
    distributed: bool
    fresh: bool
    device: str

    def begun(self) -> JobDescription | None:
        """Return an earlier start of the job, or another of its shards, whose engine it keeps to.

        Raises:
            DataError: a job file is damaged.
        """
        if self.fresh:
            return None
        own = read_job(self.target, self.description.shard)
        others = read_jobs(self.target) if self.description.shard[1] > 1 else []
        for job in ([own] if own else []) + others:
            same = job.model == self.description.model and job.options == self.description.options
            if same and job.shard[1] == self.description.shard[1]:
                return job
        return None


def choose_job_engine(
    model: Model,
    wanted: str,
    workload: Workload,
    place: JobPlace,
    *,
    threads: int,
    memory: int | None,
    announce: Callable[[str], None],
) -> EngineChoice:
    """Choose what computes the photos and videos of a job: one engine for all of them.

    "auto" keeps to the engine of a job that was begun, and to PyTorch where several machines or
    shards compute, since each of them would choose by its own measurements.

    Raises:
        ConfigError: the wanted engine cannot compute this model, or on this device.
        FullconvError: the engine of the begun job cannot be used on this machine.
    """
    if model.exported:
        model.optimize(wanted)  # checks that it is the file's
        return EngineChoice(model.engine)
    wanted = check_engine(wanted)
    if place.device != "cpu":
        if wanted not in (AUTO, "torch"):
            raise ConfigError(
                f"the engine {wanted} computes on the CPU, not on {place.device}; use --device cpu"
            )
        return EngineChoice()
    begun = place.begun()
    if begun is not None and wanted in (AUTO, begun.engine):
        return _keep(model, begun, workload, threads, announce)
    if wanted == AUTO and (place.distributed or place.description.shard[1] > 1):
        return EngineChoice()
    model.network.eval()
    options = {"threads": threads, "memory": memory, "announce": announce}
    choice = choose_engine(model.network, wanted, workload, **options)  # type: ignore[arg-type]
    if choice.reason:
        announce(f"engine  {choice.reason}")
    return choice


def _keep(
    model: Model,
    begun: JobDescription,
    workload: Workload,
    threads: int,
    announce: Callable[[str], None],
) -> EngineChoice:
    """Return the engine of a job that was begun.

    Raises:
        FullconvError: it cannot be used on this machine.
    """
    if not begun.engine_pixels:
        return EngineChoice(begun.engine)
    try:
        choice = choose_engine(
            model.network.eval(),
            begun.engine,
            workload,
            threads=threads,
            most_pixels=begun.engine_pixels,
            announce=announce,
        )
    except FullconvError as error:
        raise ConfigError(
            f"the job was begun with the engine {begun.engine}, which cannot be used now: {error}; "
            "or start over with --fresh"
        ) from error
    announce(f"engine  {choice.reason}, as the job was begun")
    return choice


def typical_size(model: Model, inputs: Sequence[Input]) -> Size:
    """Return the (height, width) that the network gets a photo of a job in: the median of a few."""
    photos = [item for item in inputs if item.medium == "photo"]
    sizes = [size for item in photos[:LOOKED_AT] if (size := _size_of(item))]
    height, width = (
        (int(statistics.median(sides)) for sides in zip(*sizes, strict=True))
        if sizes
        else USUAL_SIZE
    )
    return fit_size((height, width), model.size, model.input_scale)


def job_workload(
    inputs: Sequence[Input], size: Size, scales: Sequence[float], at_once: int
) -> Workload:
    """Return what a job has to compute, from the number of its inputs.

    Args:
        inputs: photos and videos.
        size: from `typical_size`.
        scales: of test-time augmentation; () without.
        at_once: photos computed at the same time.
    """
    photos = sum(item.medium == "photo" for item in inputs)
    videos = sum(item.medium == "video" for item in inputs)
    return Workload(
        images=photos + FRAMES * videos,
        size=size,
        passes=2 * sum(scale**2 for scale in scales) if scales else 1.0,
        at_once=at_once,
    )


def _size_of(item: Input) -> tuple[int, int] | None:
    """Return the (height, width) of a photo's file; None for URLs, and files that are no photos."""
    path = local_path(item.where)
    try:
        return None if path is None else peek_header(Path(path)).size
    except (FullconvError, OSError):
        return None
