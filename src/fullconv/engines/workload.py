"""What there is to compute, and whether converting a network for it pays."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from fullconv.config import Size
from fullconv.engines.proof import sample_image
from fullconv.hardware import memory_limit

USUAL_SIZE: Size = (360, 480)  # of a photo whose size is not known
LARGEST_TIMED = 512 * 512  # pixels; the time of larger photos is scaled from an image of these
GAIN = 0.4  # share of PyTorch's time that another engine is expected to save
MEMORY_SHARE = 1 / 4  # of the machine's memory, for all images computed at once
LARGE = 1_000_000  # pixels of an image from which it is asked how many the memory holds
CAUTION = 3.0  # times its cost that a conversion has to be expected to save
TINY = 1_000_000  # pixels of all photos; for fewer, not even the cache is searched
LEAST_PIXELS = 4_000_000  # of all photos; for fewer, not even PyTorch's speed is measured
SECONDS = 5.0  # to convert, compare and time a small network
TIMING = 4.0  # of these, to compare and time
SECONDS_PER_GIB = 50.0  # of weights, beside that


@dataclass(frozen=True)
class Workload:
    """Photos to predict.

    Attributes:
        images: their number; None for any number, as a server has.
        size: (height, width) of a typical one, as the network gets it.
        passes: times that the network computes each, as area: 6.5 for TTA at 1 and 1.5 with flips.
        at_once: photos computed at the same time.
    """

    images: int | None = None
    size: Size = USUAL_SIZE
    passes: float = 1.0
    at_once: int = 1

    @property
    def pixels(self) -> float:
        """Pixels that the network computes in all; infinite for any number of photos."""
        if self.images is None:
            return math.inf
        return self.images * self.passes * self.size[0] * self.size[1]

    @property
    def timed_size(self) -> Size:
        """(height, width) of the image that engines are timed with; large photos are cropped."""
        height, width = self.size
        shrink = min(1.0, (LARGEST_TIMED / (height * width)) ** 0.5)
        return max(64, int(height * shrink)), max(64, int(width * shrink))

    def seconds(self, timed: float, size: Size) -> float:
        """Return the seconds of all photos, given those of one image of `size`."""
        pixels = self.size[0] * self.size[1] / (size[0] * size[1])
        return (self.images or 0) * self.passes * pixels * timed / self.at_once

    def conversion_pays(self, network: nn.Module, converted: bool = False) -> bool:
        """Return whether conversion, comparison and timing cost far less than they save.

        PyTorch's speed is measured, on one image and only if there is much to compute.

        Args:
            network: computed by PyTorch.
            converted: whether only comparison and timing are left to do.
        """
        if self.images is None:
            return True
        if self.pixels < LEAST_PIXELS:
            return False
        size = self.timed_size
        saved = GAIN * self.seconds(time_network(network, size), size)
        return saved >= CAUTION * (TIMING if converted else conversion_seconds(network))

    def opening_pays(
        self, torch_seconds: float, seconds: float, size: Size, opening: float
    ) -> bool:
        """Return whether opening a converted network costs less than it saves.

        Args:
            torch_seconds: PyTorch's for one image of `size`.
            seconds: the engine's.
            size: (height, width) that both were timed at.
            opening: seconds to open the engine.
        """
        if self.images is None:
            return True
        return self.seconds(torch_seconds - seconds, size) >= opening


def images_at_once(
    size: Size, images: int, cores: int, pixel_bytes: Callable[[], float], memory: int
) -> int:
    """Return how many images to compute at the same time, each on an equal number of cores.

    Several images on one core each take less time than one on all cores, as long as the memory
    holds them whole; larger ones would be computed in more parts, so they get more cores each.

    Args:
        size: (height, width) of a typical image, as the network gets it.
        images: their number.
        cores: to compute with.
        pixel_bytes: returns the bytes per pixel that computing an image takes; called for large
            images only.
        memory: bytes for all images that are computed at once.
    """
    most = max(1, min(images, cores))
    pixels = size[0] * size[1]
    if most == 1 or pixels < LARGE:
        return most
    return max(1, min(most, int(memory / (pixel_bytes() * pixels))))


def memory_for_images(memory: int | None) -> int:
    """Return the bytes for all images that are computed at once: a quarter of the machine's."""
    return memory or int(MEMORY_SHARE * memory_limit())


def conversion_seconds(network: nn.Module) -> float:
    """Estimate the seconds to convert a network, compare its scores and time its engines."""
    weights = sum(weight.nbytes for weight in network.parameters())
    return SECONDS + SECONDS_PER_GIB * weights / 2**30


@torch.inference_mode()
def time_network(network: nn.Module, size: Size) -> float:
    """Return the seconds of one image of `size` in PyTorch, after a smaller one to warm up."""
    network(sample_image((64, 64)))
    image = sample_image(size)
    return time_call(lambda: network(image))


def time_call(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
