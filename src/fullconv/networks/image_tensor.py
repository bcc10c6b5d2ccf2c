"""Check the tensor of images that a network is given."""

import torch
from torch import Tensor

from fullconv.config import RGB
from fullconv.errors import ImageError


def check_images(images: Tensor, channels: int, kind: torch.dtype) -> None:
    """Check the shape and the type of images for a network.

    Without it, one channel would be broadcast against the means of red, green and blue, and an
    image without a batch against the dimension of the batch.

    Args:
        images: (B, C, H, W).
        channels: that the network takes.
        kind: of the network's numbers.

    Raises:
        ImageError: the images have another number of dimensions or channels, or a type that the
            network does not compute with.
    """
    shape = images.shape
    if len(shape) != 4 or shape[1] != channels:
        colours = "red, green, blue" + (" and others" if channels > RGB else "")
        raise ImageError(
            f"images of shape {tuple(shape)}",
            expected=f"(B, {channels}, H, W): {colours}, with values from 0 to 255",
            remedy=_remedy(tuple(shape), channels),
        )
    given = images.dtype
    if given == torch.bool or (given == torch.float64 != kind):
        raise ImageError(
            f"images of the type {given}",
            expected=f"{kind}, with values from 0 to 255, as the network computes",
            remedy=f"convert them: images.to({kind})" if given == torch.float64 else "",
        )


def _remedy(shape: tuple[int, ...], channels: int) -> str:
    """Return how images of a wrong shape become right, if that is likely; else ""."""
    if len(shape) == 3 and shape[0] == channels:
        return "add the dimension of the batch: image[None]"
    if len(shape) == 3 and shape[2] == channels:
        return "channels come first: image.permute(2, 0, 1)[None]"
    if len(shape) == 4 and shape[3] == channels:
        return "channels come first: images.permute(0, 3, 1, 2)"
    if len(shape) == 4 and shape[1] == 1 and channels == RGB:
        return "repeat a grey channel: images.expand(-1, 3, -1, -1)"
    return ""
