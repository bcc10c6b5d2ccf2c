"""Draw labels over their photos, rare classes first, to show whether they belong together."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from fullconv.data.sample import Sample
from fullconv.data.survey.survey import Item, Survey
from fullconv.errors import DataError
from fullconv.io.images import Header, encode_jpeg, scale_image, scale_labels
from fullconv.io.palettes import VOID, overlay

OVERLAYS = 12
_MAX_PIXELS = 50_000_000  # of a photo that is drawn
_SIZE = (240, 480)  # height, largest width in pixels


def choose_samples(survey: Survey, number: int = OVERLAYS) -> list[Item]:
    """Return valid samples: those with the most pixels of the rarest class, of the next, ...

    The classes take turns, from the one with the fewest pixels on.
    """
    rest = [
        item for item in survey.items if survey.can_read(item) and can_be_drawn(item.photo.header)
    ]
    pixels = survey.pixels()
    classes = [label for label in np.argsort(pixels, stable=True).tolist() if pixels[label]]
    chosen: list[Item] = []
    while classes and rest and len(chosen) < number:
        label = classes.pop(0)
        best = max(rest, key=lambda item: item.labels.get(label, 0))
        if best.labels.get(label, 0):
            chosen.append(best)
            rest = [item for item in rest if item is not best]
            classes.append(label)
    return chosen


def draw_overlays(survey: Survey, number: int = OVERLAYS) -> Iterator[tuple[str, str, bytes]]:
    """Yield the name, the classes and a JPEG of each sample of `choose_samples`."""
    read = survey.read
    for item in choose_samples(survey, number) if read else ():
        try:
            sample = read(item)  # type: ignore[misc]  # not None here
        except DataError:  # changed since it was checked
            continue
        present = [label for label in range(len(survey.classes)) if label in item.labels]
        names = [survey.classes[label] for label in present]
        names += ["ignored"] * (VOID in item.labels)
        yield item.name, ", ".join(names), encode_jpeg(_draw(sample, survey), 85)


def _draw(sample: Sample, survey: Survey) -> UInt8[np.ndarray, "h w 3"]:
    height, width = sample.labels.shape
    size = (_SIZE[0], min(_SIZE[1], max(1, round(width * _SIZE[0] / height))))
    image, labels = scale_image(sample.image, size), scale_labels(sample.labels, size)
    return overlay(image, labels, survey.palette)


def can_be_drawn(header: Header | None) -> bool:
    """Return whether an image is readable, and small enough to decode for a picture of it."""
    return header is not None and header.size[0] * header.size[1] <= _MAX_PIXELS
