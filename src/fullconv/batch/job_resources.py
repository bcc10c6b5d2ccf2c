"""Share out this machine for a job: threads, photos at a time, and memory for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from fullconv.batch.inputs import Input
from fullconv.config import Size
from fullconv.engines.workload import images_at_once, memory_for_images
from fullconv.errors import ConfigError
from fullconv.hardware import MAX_THREADS, SHARE, free_memory, usable_cores
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.model import Model
from fullconv.units import parse_bytes


@dataclass(frozen=True)
class JobResources:
    """What a job takes of this machine; the attributes are those of `PredictionJob`."""

    threads: int
    large_threads: int
    at_once: int
    memory: int | None
    optimize: bool


def plan_resources(
    model: Model,
    size: Size,
    inputs: Sequence[Input],
    mine: Sequence[Input],
    device: str,
    threads: int | None,
    memory: str | None,
) -> JobResources:
    """Decide threads, photos at once and memory of a job.

    Args:
        model: computes the photos.
        size: the largest (height, width) that the network gets a typical photo in.
        inputs: of all shards.
        mine: of this shard.
        device: "cpu", "cuda", ...
        threads: CPU threads per photo, as the user gave them; None if not.
        memory: for everything that is computed at once, e.g. "2GiB"; None is half of the free one.

    Raises:
        ConfigError: the threads or the memory are invalid.
    """
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise ConfigError(f"threads is {threads}; expected 1 to {MAX_THREADS}")
    media = [item.medium for item in inputs]
    many = media.count("photo") >= MIN_IMAGES
    large_threads = threads or torch.get_num_threads()
    photos = sum(item.medium == "photo" for item in mine)
    photo_threads, at_once = large_threads, 1
    cores = usable_cores()
    if device == "cpu" and threads:
        at_once = max(1, min(photos, cores // threads))
    elif device == "cpu" and many:
        total = memory_for_images(None if memory is None else parse_bytes(memory))
        pixel_bytes = partial(runtime_pixel_bytes, model.network.eval(), model.channels)
        at_once = images_at_once(size, photos, cores, pixel_bytes, total)
        photo_threads = max(1, min(large_threads, cores // at_once))
    return JobResources(
        threads=photo_threads,
        large_threads=large_threads,
        at_once=at_once,
        memory=_memory_per_photo(memory, at_once),
        optimize=many or "video" in media,
    )


def _memory_per_photo(memory: str | None, at_once: int) -> int | None:
    """Return the bytes for one of `at_once` photos; None lets the planner use half of the free."""
    if memory is None and at_once == 1:
        return None
    total = int(SHARE * free_memory()) if memory is None else parse_bytes(memory)
    return max(1, total // at_once)
