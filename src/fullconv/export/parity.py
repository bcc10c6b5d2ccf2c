"""Compare an exported file's scores with the network's, on the user's images, at odd sizes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from fullconv.config import Size
from fullconv.errors import ExportError
from fullconv.inference.runtimes import Run, first_line
from fullconv.inference.runtimes.description import Description, Parity

TOLERANCE = 1e-4  # relative to an image's largest score; rounding explains about a hundredth of it
SIZES = 3  # at least
SHARES = (1.0, 2 / 3, 2 / 5)  # factors on an image's sides
LARGEST = 641  # pixels of a side; larger images are cropped: more pixels would not show more
SPARE = ((33, 47), (97, 131))  # for images that are too small for three sizes
LARGEST_MIN_SIZE = 64  # pixels of a side; every file must support this size

MAX_INT8_CHANGES = 1e-2  # share of the pixels: int8 rounds up or down at the smallest difference

Image = UInt8[np.ndarray, "_ _ 3"]
Batch = Float[np.ndarray, "1 3 _ _"]


def check_parity(
    network: nn.Module,
    run: Run,
    photos: Sequence[Image],
    size: Size | None = None,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compare scores at three or more odd sizes, for single images and a batch of two.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores; in evaluation mode.
        run: the exported file's.
        photos: at least one, downscaled as the network gets them.
        size: the only size that the file supports, one image at a time.
        tolerance: largest difference of a score, relative to the image's largest.

    Raises:
        ExportError: a score differs by more than `tolerance`.
    """
    sizes, worst, flipped, pixels = [], 0.0, 0, 0
    for image in odd_crops(photos) if size is None else fixed_crops(photos, size):
        expected, found = network_scores(network, image), run(image)
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


def check_browser(description: Description) -> None:
    """Check that a page's scores in a browser are those of ONNX Runtime; int8 by its labels.

    Raises:
        ExportError: they differ by more than rounding.
    """
    found = description.browser
    if found is None:
        return
    exact = description.precision == "fp32"
    if found.label_changes > MAX_INT8_CHANGES or (exact and found.difference > TOLERANCE):
        raise ExportError(
            f"in {found.browser} the page's scores differ by {found.difference:.1e} of the largest "
            f"(labels at {found.label_changes:.3%} of the pixels); expected at most "
            f"{TOLERANCE:.0e}: no file was written"
        )


def find_min_size(network: nn.Module, run: Run) -> tuple[int, int]:
    """Return the smallest square (height, width) with equal scores; usually (1, 1).

    Raises:
        ExportError: there is none up to `LARGEST_MIN_SIZE`.
    """
    random = np.random.default_rng(0)
    reason = ""
    for side in range(1, LARGEST_MIN_SIZE + 1):
        image = random.uniform(0, 255, (1, 3, side, side)).astype(np.float32)
        try:
            worst = difference(network_scores(network, image), run(image))
        except Exception as error:  # each runtime has its own exceptions
            reason = first_line(error)
            continue
        if worst <= TOLERANCE:
            return side, side
        reason = f"scores differ by {worst:.1e} of the largest"
    raise ExportError(
        f"the exported file does not support images of {side} x {side} pixels: {reason}"
    )


@torch.inference_mode()
def network_scores(
    network: nn.Module, image: Float[np.ndarray, "B 3 H W"]
) -> Float[np.ndarray, "B K H W"]:
    """Return the network's scores."""
    score: np.ndarray = network(torch.from_numpy(image)).float().numpy()
    return score


def difference(expected: Float[np.ndarray, "B K H W"], found: Float[np.ndarray, "*shape"]) -> float:
    """Return the largest difference of two scores, relative to the largest expected one.

    Raises:
        ExportError: the shapes differ, or there is nothing to compare.
    """
    if found.shape != expected.shape:
        raise ExportError(
            f"the exported file gives scores of shape {found.shape}; expected {expected.shape}"
        )
    largest = float(np.abs(expected).max())
    if largest == 0 or not np.isfinite(largest):
        raise ExportError(
            f"the network's largest score is {largest}, so nothing can be compared; "
            "train the network before exporting it"
        )
    worst = float(np.abs(expected - found).max()) / largest
    return worst if np.isfinite(worst) else float("inf")


def compare_runs(first: Run, second: Run, images: Iterable[Batch]) -> tuple[float, float]:
    """Return the largest `difference` of the scores of two runtimes, and the share of other labels.

    Args:
        first: the runtime that the other one is compared with.
        second: the other one.
        images: at least one.

    Raises:
        ExportError: see `difference`; or a score is not a finite number.
    """
    worst, changes, pixels = 0.0, 0, 0
    for image in images:
        expected, found = first(image), second(image)
        worst = max(worst, difference(expected, found))
        if not np.isfinite(worst):
            raise ExportError(
                f"some scores of an image of {image.shape[2]} x {image.shape[3]} pixels are not "
                "finite numbers where the file is to be used: no file was written"
            )
        changes += int((expected.argmax(1) != found.argmax(1)).sum())
        pixels += expected[:, 0].size
    return worst, changes / pixels


def odd_crops(photos: Sequence[Image]) -> Iterator[Float[np.ndarray, "B 3 H W"]]:
    """Yield crops of the images with odd heights and widths, then a batch of two."""
    count = max(SIZES, len(photos))
    sizes = [
        (largest_odd(photo.shape[0] * share), largest_odd(photo.shape[1] * share))
        for photo, share in islice(zip(cycle(photos), cycle(SHARES)), count)
    ]
    sizes += SPARE if len(set(sizes)) < SIZES else ()
    for photo, size in zip(cycle(photos), sizes, strict=False):
        yield to_batch(crop_or_tile(photo, size))
    small = crop_or_tile(photos[-1], min(sizes))
    yield np.concatenate([to_batch(small), to_batch(small[::-1])])


def fixed_crops(photos: Sequence[Image], size: Size) -> Iterator[Float[np.ndarray, "1 3 H W"]]:
    """Yield three or more crops of one size; images are flipped if there are fewer."""
    for number, photo in enumerate(islice(cycle(photos), max(SIZES, len(photos)))):
        turned = photo[:: -1 if number // len(photos) % 2 else 1]
        turned = turned[:, :: -1 if number // len(photos) > 1 else 1]
        yield to_batch(crop_or_tile(turned, size))


def largest_odd(side: float) -> int:
    """Return the largest odd number of pixels up to `side` and `LARGEST`; at least 1."""
    return max(1, (min(int(side), LARGEST) - 1) | 1)


def crop_or_tile(photo: Image, size: tuple[int, int]) -> Image:
    """Return the upper left (height, width) of an image, which is tiled if it is smaller."""
    height, width = size
    rows, columns = -(-height // photo.shape[0]), -(-width // photo.shape[1])
    return np.tile(photo, (rows, columns, 1))[:height, :width]


def to_batch(photo: Image) -> Float[np.ndarray, "1 3 H W"]:
    """Return an image as a float32 batch of one, RGB in [0, 255]."""
    return np.ascontiguousarray(photo.transpose(2, 0, 1)[None], np.float32)
