"""What an exported file says about itself."""

from typing import Literal

from pydantic import Field

from fullconv.config import Architecture, Normalization, Settings, Size


class Parity(Settings):
    """How far an exported file's scores were from the network's, on the user's images.

    Attributes:
        sizes: (height, width) of the images compared.
        difference: the largest of all scores, relative to the image's largest score.
        flips: share of the pixels whose label differs, in [0, 1].
    """

    sizes: tuple[Size, ...]
    difference: float = Field(ge=0)
    label_changes: float = Field(ge=0, le=1)


class QuantizationCost(Settings):
    """What int8 cost on the user's data: IU of each class, in [0, 1]; None where it is absent.

    Attributes:
        data: what it was measured on.
        images: how many.
        before: IU of each class with the network.
        after: with the int8 file.
        mean_before: mean IU with the network.
        mean_after: with the int8 file.
        agreement: share of the pixels with the same label, in [0, 1].
    """

    data: str
    images: int = Field(ge=1)
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    mean_before: float
    mean_after: float
    agreement: float


class Description(Settings):
    """What stands in an exported file: all that its answers mean, and the proof."""

    format: int = Field(1, ge=1, le=1)
    fullconv: str  # the version that wrote it
    precision: Literal["fp32", "int8"] = "fp32"
    classes: tuple[str, ...] = Field(min_length=1, max_length=255)
    palette: tuple[tuple[int, int, int], ...] = Field(max_length=255)
    size: Size | None = None  # photos are scaled down to fit into it
    protocol: str
    input: str = "image: float32 (B, 3, H, W), RGB in [0, 255]; normalization is inside"
    output: str = "score: float32 (B, K, H, W), before softmax"
    architecture: Architecture | None = None
    normalization: Normalization
    least: Size = (1, 1)  # of an image
    fixed: Size | None = None  # of all images, one at a time; None is any size
    parity: Parity | None = None
    loss: QuantizationCost | None = None
