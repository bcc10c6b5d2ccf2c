"""Contact sheets: small photos next to their predictions, 24 on each sheet."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.manifest import JobDescription
from fullconv.batch.writers import Collector, StoredFile, Writer, writers
from fullconv.inference.prediction import Prediction
from fullconv.io.images import caption, decode_image, encode_jpeg, legend, scale_image
from fullconv.io.palettes import VOID, Palette

Sheet = UInt8[np.ndarray, "_ _ 3"]

PANEL = (150, 200)  # (height, width) in pixels that a photo, and its prediction, are fitted into
GAP = 8  # white pixels around every pair
COLUMNS = 3  # pairs side by side
PAGE = 24  # pairs on a full sheet


def draw_contact_sheets(predictions: Iterable[tuple[str, Prediction]]) -> Iterator[Sheet]:
    """Yield sheets of up to `PAGE` predictions as RGB arrays, each as soon as it is full.

    A sheet shows each photo next to its prediction, its name, and a legend of the classes that
    occur. Only the small pictures of one sheet are kept in memory.

    Args:
        predictions: name and prediction of each photo; all of one model.
    """
    pairs: list[tuple[str, Sheet]] = []
    found: set[int] = set()
    for name, prediction in predictions:
        pairs.append((name, draw_pair(prediction)))
        found.update(set(np.unique(prediction.labels).tolist()) - {VOID})
        classes, palette = prediction.classes, prediction.palette
        if len(pairs) == PAGE:
            yield draw_sheet(pairs, sorted(found), classes, palette)
            pairs, found = [], set()
    if pairs:
        yield draw_sheet(pairs, sorted(found), classes, palette)


def encode(prediction: Prediction) -> bytes:
    """Return a JPEG of the photo next to its overlay, without name and legend."""
    return encode_jpeg(draw_pair(prediction))


def collect(
    stored: Sequence[StoredFile], job: JobDescription
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the sheets in the order of the manifest: 001.jpg, ...; one in memory at a time."""
    for number, start in enumerate(range(0, len(stored), PAGE), 1):
        sheet = _encode_sheet(stored[start : start + PAGE], job.classes, job.palette)
        yield f"{number:03d}.jpg", [sheet]


def draw_pair(prediction: Prediction) -> Sheet:
    """Draw a small photo next to its overlay; always of the same size."""
    panels = [_fit(prediction.image), _fit(prediction.overlay(legend=False))]
    return np.concatenate(panels, axis=1)


def draw_sheet(
    pairs: Sequence[tuple[str, Sheet]],
    found: Sequence[int],
    classes: Sequence[str],
    palette: Palette,
) -> Sheet:
    """Draw one sheet.

    Args:
        pairs: name of each photo, and its `draw_pair`.
        found: labels of the classes in the legend.
        classes: names of all classes.
        palette: colours of all classes.
    """
    cells = [np.concatenate([picture, caption(name, picture.shape[1])]) for name, picture in pairs]
    columns = min(COLUMNS, len(cells))
    blank = np.full_like(cells[0], 255)
    filled = [*cells, *[blank] * (-len(cells) % columns)]
    rows = [
        np.concatenate(filled[start : start + columns], axis=1)
        for start in range(0, len(filled), columns)
    ]
    names, colors = [classes[label] for label in found], [palette[label] for label in found]
    return np.concatenate([*rows, legend(names, colors, rows[0].shape[1])])


def _encode_sheet(stored: Sequence[StoredFile], classes: Sequence[str], palette: Palette) -> bytes:
    pairs = [(record.id, decode_image(read(), record.id)) for record, read in stored]
    found = [
        label
        for label, name in enumerate(classes)
        if any(record.pixels.get(name) for record, _ in stored)
    ]
    return encode_jpeg(draw_sheet(pairs, found, classes, palette))


def _fit(image: UInt8[np.ndarray, "H W 3"]) -> Sheet:
    """Scale a picture to fit the panel, and centre it on white."""
    scale = min(PANEL[0] / image.shape[0], PANEL[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    panel = np.full((PANEL[0] + GAP, PANEL[1] + GAP, 3), 255, np.uint8)
    top, left = (panel.shape[0] - height) // 2, (panel.shape[1] - width) // 2
    panel[top : top + height, left : left + width] = scale_image(image, (height, width))
    return panel


writers.register("contact")(
    Writer(
        ".jpg",
        encode,
        "JPEG: a small photo next to its prediction, for the contact sheets",
        collector=Collector("contact-sheets/", collect),
    )
)
