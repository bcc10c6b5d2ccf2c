"""The metadata of an exported file."""

from typing import Literal

from pydantic import Field

from fullconv.config import Architecture, Colors, Factor, Normalization, Settings, Size
from fullconv.config.network import MAX_CLASSES
from fullconv.inference.tta_scales import SCALES
from fullconv.io.rasters import BandChoice


class Parity(Settings):
    """How far an exported file's scores are from the PyTorch network's, on the images compared.

    Attributes:
        sizes: (height, width) of these images.
        difference: largest absolute difference of a score, relative to the image's largest score.
        label_changes: share of the pixels whose label differs, in [0, 1].
    """

    sizes: tuple[Size, ...]
    difference: float = Field(ge=0)
    label_changes: float = Field(ge=0, le=1)


class QuantizationCost(Settings):
    """Quality before and after int8 quantization, measured on a data set.

    Attributes:
        data: the data set and split.
        images: number of images.
        before: IoU of each class in [0, 1], of the network; None for a class that does not occur.
        after: likewise, of the int8 file.
        mean_before: mean IoU of the network.
        mean_after: mean IoU of the int8 file.
        agreement: share of the pixels with the same label, in [0, 1].
    """

    data: str
    images: int = Field(ge=1)
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    mean_before: float
    mean_after: float
    agreement: float


class BrowserCheck(Settings):
    """A page that was opened in a browser: its self-check passed, and its scores were compared.

    Attributes:
        browser: its name and version.
        difference: largest absolute difference of a score to ONNX Runtime's, relative to the
            image's largest score.
        label_changes: share of the pixels whose label differs, in [0, 1].
    """

    browser: str
    difference: float = Field(ge=0)
    label_changes: float = Field(ge=0, le=1)


class Description(Settings):
    """Metadata of an exported file: what its predictions depend on, and the result of the checks.

    Attributes:
        fullconv: version that wrote the file.
        size: (height, width) that larger images are downscaled to fit.
        input_scale: factor that images are then scaled by; the graph takes the scaled image.
        tta_scales: scales of test-time augmentation.
        band_choice: the bands and value range of rasters; None if the training had no choice.
        protocol: the evaluation protocol of metrics of this model.
        least: smallest supported (height, width) of an image.
        fixed: the only supported (height, width), one image per call; None for any size.
        pixel_bytes: estimated bytes per pixel of an image that its computation takes; None in files
            of earlier versions.
        parity: comparison with the network; None if the file was not compared.
        loss: cost of int8; None for fp32.
        browser: how a page behaves in a browser; None if none was at hand, and for other files.
    """

    format: int = Field(1, ge=1, le=1)
    fullconv: str
    precision: Literal["fp32", "int8"] = "fp32"
    classes: tuple[str, ...] = Field(min_length=1, max_length=MAX_CLASSES)
    palette: Colors = Field(max_length=MAX_CLASSES)
    size: Size | None = None
    input_scale: Factor = 1.0
    tta_scales: tuple[float, ...] = Field(SCALES, max_length=16)
    band_choice: BandChoice | None = None
    protocol: str
    input: str = "image: float32 (B, 3, H, W), RGB in [0, 255]; normalization is inside"
    output: str = "score: float32 (B, K, H, W), before softmax"
    architecture: Architecture | None = None
    normalization: Normalization
    least: Size = (1, 1)
    fixed: Size | None = None
    pixel_bytes: float | None = Field(None, gt=0, le=1e9)
    parity: Parity | None = None
    loss: QuantizationCost | None = None
    browser: BrowserCheck | None = None
