"""Check for masks in which a class has a share unlike in all others: often a filled outline."""

from collections.abc import Iterator

import numpy as np

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._survey import Item, Survey
from fullconv.io.palettes import VOID

ENOUGH = 12  # images with a class, at least: fewer show nothing usual
TIMES = 5.0  # a share of the image is unusual above this many times the ninth decile of the others
PART = 0.1  # of the class's pixels in a split that the image holds, at least: less hardly matters


@checks.register("shares")
def shares(survey: Survey) -> Iterator[Finding]:
    """Yield a finding for each mask and class with an unusual share of the pixels."""
    for split in survey.splits:
        items = [item for item in survey.of(split) if item.is_valid]
        totals = np.array([_labelled(item) for item in items], float)
        for label, name in enumerate(survey.classes):
            pixels = np.array([item.labels.get(label, 0) for item in items], float)
            for index in _unusual(pixels, totals):
                others = np.delete(pixels, index) / np.delete(totals, index)
                yield survey.warning(
                    "unusual-share",
                    items[index].pair.mask,
                    f"{100 * pixels[index] / totals[index]:.0f} % of its pixels are {name}, and "
                    f"{100 * pixels[index] / pixels.sum():.0f} % of all {name} in {split} are here",
                    f"about {100 * np.median(others[others > 0]):.2g} %, as in the other masks",
                    "look at the mask: an outline that was filled by mistake teaches that what it "
                    "encloses is the class",
                )


def _unusual(pixels: np.ndarray, totals: np.ndarray) -> Iterator[int]:
    """Yield the indices of images that hold far more of a class than the others."""
    present = np.flatnonzero(pixels)
    if len(present) < ENOUGH:
        return
    found = pixels[present] / totals[present]
    for position, index in enumerate(present):
        usual = np.quantile(np.delete(found, position), 0.9)
        if found[position] > TIMES * usual and pixels[index] >= PART * pixels.sum():
            yield int(index)


def _labelled(item: Item) -> int:
    return sum(count for label, count in item.labels.items() if label != VOID)
