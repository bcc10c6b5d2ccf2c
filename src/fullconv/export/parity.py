"""Whether an exported file answers as the network does, on the user's images, at odd sizes."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from fullconv.config import Size
from fullconv.errors import ExportError
from fullconv.inference.runtimes import Run, first_line
from fullconv.inference.runtimes.description import Parity

TOLERANCE = 1e-4  # of an image's largest score; rounding explains about a hundredth of it
SIZES = 3  # at the least
SHARES = (1.0, 2 / 3, 2 / 5)  # of a photo's sides, for its odd sizes
LARGEST = 641  # pixels; larger photos are cut, since the sizes count and not the size
SPARE = ((33, 47), (97, 131))  # for photos too small to give three sizes
LARGEST_LEAST = 64  # pixels; the smallest image that a file has to answer is never larger

Image = UInt8[np.ndarray, "_ _ 3"]


def check_parity(
    network: nn.Module,
    run: Run,
    photos: Sequence[Image],
    size: Size | None = None,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compare scores at three odd sizes and more, by one image and by two at once.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode.
        run: the exported file's.
        photos: at least one, as the network is to be given them.
        size: the only one that the file answers, one image at a time.
        tolerance: of an image's largest score, by which another may differ.

    Raises:
        ExportError: a score differs by more than `tolerance`.
    """
    sizes, worst, flipped, pixels = [], 0.0, 0, 0
    for image in batches(photos) if size is None else windows(photos, size):
        expected, found = scores(network, image), run(image)
        sizes.append((image.shape[2], image.shape[3]))
        worst = max(worst, difference(expected, found))
        flips = expected.argmax(1) != found.argmax(1)
        flipped, pixels = flipped + int(flips.sum()), pixels + flips.size
    if worst > tolerance:
        raise ExportError(
            f"the exported file's scores differ from the network's by {worst:.1e} of the largest "
            f"(labels at {flipped / pixels:.3%} of the pixels); expected at most {tolerance:.0e}: "
            "no file was written"
        )
    return Parity(sizes=tuple(sizes), difference=worst, label_changes=flipped / pixels)


def least_size(network: nn.Module, run: Run) -> tuple[int, int]:
    """The smallest square (height, width) that a file answers as the network does; mostly (1, 1).

    Raises:
        ExportError: there is none below `LARGEST_LEAST`.
    """
    random = np.random.default_rng(0)
    reason = ""
    for side in range(1, LARGEST_LEAST + 1):
        image = random.uniform(0, 255, (1, 3, side, side)).astype(np.float32)
        try:
            worst = difference(scores(network, image), run(image))
        except Exception as error:  # each engine has exceptions of its own
            reason = first_line(error)
            continue
        if worst <= TOLERANCE:
            return side, side
        reason = f"scores differ by {worst:.1e} of the largest"
    raise ExportError(f"the exported file answers no image of {side} x {side} pixels: {reason}")


@torch.inference_mode()
def scores(network: nn.Module, image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
    """The network's own answer."""
    answer: np.ndarray = network(torch.from_numpy(image)).float().numpy()
    return answer


def difference(expected: Float[np.ndarray, "B K H W"], found: Float[np.ndarray, "*shape"]) -> float:
    """The largest difference of two scores, relative to the largest expected one.

    Raises:
        ExportError: the shapes differ, or there is nothing to compare.
    """
    if found.shape != expected.shape:
        raise ExportError(f"it gives scores of shape {found.shape} instead of {expected.shape}")
    largest = float(np.abs(expected).max())
    if largest == 0 or not np.isfinite(largest):
        raise ExportError(
            f"the network's largest score is {largest}, so that nothing can be compared; "
            "train it before it is exported"
        )
    worst = float(np.abs(expected - found).max()) / largest
    return worst if np.isfinite(worst) else float("inf")


def batches(photos: Sequence[Image]) -> Iterator[Float[np.ndarray, "B 3 H W"]]:
    """Parts of the photos, with odd heights and widths, one by one; then two at once."""
    count = max(SIZES, len(photos))
    sizes = [
        (odd(photo.shape[0] * share), odd(photo.shape[1] * share))
        for photo, share in islice(zip(cycle(photos), cycle(SHARES)), count)
    ]
    sizes += SPARE if len(set(sizes)) < SIZES else ()
    for photo, size in zip(cycle(photos), sizes, strict=False):
        yield as_batch(cut(photo, size))
    small = cut(photos[-1], min(sizes))
    yield np.concatenate([as_batch(small), as_batch(small[::-1])])


def windows(photos: Sequence[Image], size: Size) -> Iterator[Float[np.ndarray, "1 3 H W"]]:
    """Parts of the photos of one size, three at least: turned over where there are fewer photos."""
    for number, photo in enumerate(islice(cycle(photos), max(SIZES, len(photos)))):
        turned = photo[:: -1 if number // len(photos) % 2 else 1]
        turned = turned[:, :: -1 if number // len(photos) > 1 else 1]
        yield as_batch(cut(turned, size))


def odd(side: float) -> int:
    """The largest odd number of pixels up to `side` and `LARGEST`."""
    return max(1, (min(int(side), LARGEST) - 1) | 1)


def cut(photo: Image, size: tuple[int, int]) -> Image:
    """The photo's upper left part; the photo is repeated where it is too small."""
    height, width = size
    rows, columns = -(-height // photo.shape[0]), -(-width // photo.shape[1])
    return np.tile(photo, (rows, columns, 1))[:height, :width]


def as_batch(photo: Image) -> Float[np.ndarray, "1 3 H W"]:
    """A photo as networks take it, RGB in [0, 255]."""
    return np.ascontiguousarray(photo.transpose(2, 0, 1)[None], np.float32)
