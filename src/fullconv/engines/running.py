"""An engine at work: it computes a network's scores in place of PyTorch's layers."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.config import Size
from fullconv.engines import TITLES
from fullconv.engines.large_images import LargeImages
from fullconv.inference.cpu.network_state import NetworkState
from fullconv.inference.planner.windows import FIXED, LEAST_SIDE, Cost, WindowWays
from fullconv.inference.runtimes import Run
from fullconv.networks.fcn import FCN


@dataclass(eq=False)
class RunningEngine:
    """An engine that computes the scores of images of some sizes, while the weights stay the same.

    Whether it computes an image follows from the image's size alone, never from the machine's load,
    so a prediction does not depend on what else runs.

    Attributes:
        name: "onnx" or "openvino".
        network: the network that it computes.
        run: image -> scores.
        pixel_bytes: bytes per pixel of an image.
        most_pixels: pixels of the largest image that it computes at once.
        large: computes larger images in windows.
        threads: CPU threads of one image.
    """

    name: str
    network: FCN
    run: Run
    pixel_bytes: float
    most_pixels: int
    large: LargeImages
    threads: int = field(default_factory=torch.get_num_threads)

    def __post_init__(self) -> None:
        self._state = NetworkState(self.network)

    @property
    def settings(self) -> tuple[str, int, int]:
        """What may differ between two engines of one network: name, most pixels, threads."""
        return self.name, self.most_pixels, self.threads

    @property
    def title(self) -> str:
        """The engine's name for users."""
        return TITLES[self.name]

    def takes(self, size: Size | tuple[int, ...]) -> bool:
        """Return whether it computes images of this (height, width)."""
        height, width = size[:2]
        return min(height, width) >= LEAST_SIDE and height * width <= self.most_pixels

    def takes_planes(self, size: tuple[int, ...]) -> bool:
        """Return whether its input is one plane per channel, as other engines than PyTorch take."""
        return self.takes(size)

    def peak(self, size: Size) -> int:
        """Return the bytes that an image of this (height, width) takes, besides the weights."""
        return int(self.pixel_bytes * size[0] * size[1]) + FIXED

    @property
    def memory(self) -> int:
        """The bytes that one image may take, besides the weights."""
        return int(self.most_pixels * self.pixel_bytes) + FIXED

    def window_ways(self) -> WindowWays:
        """Return how it computes images that are larger than it takes, and what that costs."""
        if not self.is_current():
            return WindowWays(None, None, None)
        staged, costs = self.large.prepare()
        strips = None if costs.strips is None else Cost(0, costs.strips)
        return WindowWays(staged and replace(staged, costs=costs.stages), costs.whole, strips)

    def note(self, size: Size) -> str:
        """Return why PyTorch computes an image of this size, for users; "" if it does not."""
        if self.takes(size) or min(size) < LEAST_SIDE:
            return ""
        most = self.most_pixels / 1e6
        return f"computed by PyTorch: {self.title} has memory for {most:.1f} megapixels here"

    def can_run(self, network: object, image: Tensor) -> bool:
        """Return whether it gives the scores of `network` for this image now."""
        if network is not self.network or torch.is_grad_enabled():
            return False
        if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
            return False
        if image.device.type != "cpu" or image.dtype != torch.float32:
            return False
        if image.ndim != 4 or image.shape[:2] != (1, self.network.channels):
            return False  # the layers compute a batch, and refuse other channels
        return self.takes(image.shape[2:]) and self.is_current()

    def is_current(self) -> bool:
        """Return whether the network's layers and weights are still those that it computes."""
        return self._state.is_current()

    def scores(self, image: Float[Tensor, "1 3 H W"]) -> Float[Tensor, "1 K H W"]:
        """Return the scores of one image."""
        return torch.from_numpy(self.run(image.contiguous().numpy()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Become None in a copied or pickled network, whose engine has to be chosen itself."""
        return _no_engine, ()


def _no_engine() -> None:
    """Return what stands for an engine in a copy."""
