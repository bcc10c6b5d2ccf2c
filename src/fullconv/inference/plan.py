"""A plan for the inference of images of one size."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fullconv.inference.planner.windows import Division

PLENTY = 8192  # bytes per pixel; VGG-16, which needs most, needs a fifth of this


@dataclass(frozen=True)
class Plan:
    """How images of one size are processed.

    Attributes:
        kind: "whole", "strips" (each layer carries rows from strip to strip), "windows" (an
            engine computes each with its surroundings) or "tiles" (overlapping, with weights).
        exact: whether the result equals that of the whole image.
        size: (height, width) of the image.
        rows: rows of the image per strip, window or tile.
        columns: likewise; less than the width if a strip of full width needs too much memory.
        peak: estimated peak memory in bytes, with `held`, besides the network itself.
        note: a sentence for the user; "" if there is nothing to say.
        resized: (height, width) that the scores are resized to; None for the image's.
        bands: channels of the image.
        overlap: pixels that neighbouring tiles share.
        held: bytes of `peak` that are held during the whole computation.
        windows: of the kind "windows". They are in the plan, since the network may have another
            engine, or none, by the time that they are computed: the scores are the same.
    """

    kind: Literal["whole", "strips", "windows", "tiles"]
    exact: bool
    size: tuple[int, int]
    rows: int
    columns: int
    peak: int = 0
    note: str = ""
    resized: tuple[int, int] | None = None
    bands: int = 3
    overlap: int = 0
    held: int = 0
    windows: "Division | None" = None

    @property
    def result(self) -> tuple[int, int]:
        """(height, width) of the scores."""
        return self.resized or self.size

    @property
    def result_columns(self) -> int:
        """Columns of the scores per strip or tile."""
        return max(1, self.columns * self.result[1] // self.size[1])

    @property
    def upper_bound(self) -> int:
        """An upper bound in bytes for the whole image, for any network."""
        height, width = self.result
        scaled = 8 * 256 * height * width
        return self.held + PLENTY * (self.size[0] + 200) * (self.size[1] + 200) + scaled

    def estimate(self, pixel_bytes: float, classes: int) -> int:
        """Estimate the bytes for the whole image.

        Args:
            pixel_bytes: per pixel of an image, of the network.
            classes: scores per pixel.
        """
        height, width = self.result
        scaled = 8 * classes * height * width if self.resized else 0
        computed = int(pixel_bytes * max(1024, self.size[0] * self.size[1]) + scaled)
        return self.held + computed
