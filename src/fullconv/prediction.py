"""A photo's answer: the class of every pixel, at the photo's own size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fullconv import colors, images
from fullconv.colors import Palette
from fullconv.errors import ImageError
from fullconv.sample import default_palette


@dataclass(frozen=True)
class Prediction:
    """What a model says about one photo.

    Attributes:
        image: the photo, RGB in [0, 255].
        score: of every class at every pixel, before softmax, at the photo's size.
        classes: their names.
        palette: one colour a class.
    """

    image: UInt8[np.ndarray, "H W 3"]
    score: Float[Tensor, "K H W"]
    classes: tuple[str, ...]
    palette: Palette

    @cached_property
    def labels(self) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel: the one with the largest score, the first of equals."""
        return self.score.argmax(0).to(torch.uint8).numpy()

    @property
    def probabilities(self) -> Float[np.ndarray, "K H W"]:
        """The scores after softmax: in [0, 1], one in sum at every pixel."""
        return self.score.softmax(0).numpy()

    @property
    def areas(self) -> dict[str, float]:
        """Class name -> its share of the photo, in [0, 1]."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        return {
            name: float(count / self.labels.size)
            for name, count in zip(self.classes, counts, strict=True)
        }

    def overlay(
        self, strength: float = 0.5, legend: bool = True
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """The answer's colours over the photo, and below it a legend of the classes that occur."""
        picture = colors.overlay(self.image, self.labels, self.palette, strength)
        if not legend:
            return picture
        present = np.unique(self.labels)
        strip = images.legend(
            [self.classes[label] for label in present],
            [self.palette[label] for label in present],
            picture.shape[1],
        )
        return np.concatenate([picture, strip])

    def save(self, path: str | Path) -> None:
        """Write the labels as an indexed PNG: pixel values are classes, shown in their colours."""
        images.write_labels(Path(path), self.labels, self.palette)


@torch.inference_mode()
def predict(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    classes: Sequence[str],
    palette: Palette | None = None,
    size: tuple[int, int] | None = None,
) -> Prediction:
    """The network's answer to one whole photo.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode.
        image: the photo.
        classes: their names.
        palette: one colour a class.
        size: the (height, width) that photos were scaled down to fit in training; the scores are
            scaled back to the photo's own size before the best is taken.
    """
    height, width = image.shape[:2]
    factor = min(1.0, size[0] / height, size[1] / width) if size else 1.0
    working = (max(1, round(height * factor)), max(1, round(width * factor)))
    device = next(network.parameters()).device
    pixels = torch.from_numpy(images.scale_image(image, working)).to(device)
    score = network(pixels.permute(2, 0, 1)[None].float())
    if working != (height, width):
        score = F.interpolate(score, (height, width), mode="bilinear", align_corners=False)
    return Prediction(
        image, score[0].float().cpu(), tuple(classes), tuple(palette or default_palette(classes))
    )


def as_image(source: Any) -> UInt8[np.ndarray, "H W 3"]:
    """A photo from a path, an RGB or grey array, or a PIL image.

    Raises:
        ImageError: it is none of them.
    """
    if isinstance(source, str | Path):
        return images.read_image(Path(source))
    if isinstance(source, np.ndarray):
        array = np.repeat(source[..., None], 3, 2) if source.ndim == 2 else source
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            raise ImageError(
                f"an array of shape {source.shape} and type {source.dtype}; expected RGB, "
                "(height, width, 3) of uint8"
            )
        return array
    if hasattr(source, "convert"):
        return images.rgb_from_pil(source)
    raise ImageError(
        f"a {type(source).__name__} is no photo; expected a path, an array or a PIL image"
    )
