"""The answer at a glance: a small photo beside its answer, and sheets of 24 of them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.batch.writers import Collector, Kept, Writer, writers
from fullconv.inference.predictor import Prediction
from fullconv.io.images import caption, decode_image, encode_jpeg, legend, scale_image
from fullconv.io.palettes import Palette


def encode(answer: Prediction) -> bytes:
    """The photo beside its colours over the photo, without name and legend."""
    return encode_jpeg(pair(answer))


def together(
    kept: Sequence[Kept], classes: Sequence[str], palette: Palette
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Sheets in the answers' order: 001.jpg, ...; those of one sheet are in memory at a time."""
    for number, start in enumerate(range(0, len(kept), PAGE), 1):
        yield f"{number:03d}.jpg", [_sheet(kept[start : start + PAGE], classes, palette)]


def _sheet(kept: Sequence[Kept], classes: Sequence[str], palette: Palette) -> bytes:
    pairs = [(answer.id, decode_image(read(), answer.id)) for answer, read in kept]
    found = [
        label
        for label, name in enumerate(classes)
        if any(answer.pixels.get(name) for answer, _ in kept)
    ]
    return encode_jpeg(sheet(pairs, found, classes, palette))


writers.register("contact")(
    Writer(
        ".jpg",
        encode,
        "JPEG: a small photo beside its answer; 24 on each of the contact-sheets",
        together=Collector("contact-sheets/", together),
    )
)

Sheet = UInt8[np.ndarray, "_ _ 3"]

PANEL = (150, 200)  # (height, width) in pixels into which a photo, and its answer, are fitted
GAP = 8  # pixels of white round every pair
COLUMNS = 3  # pairs side by side
PAGE = 24  # pairs on a full sheet


def contact_sheets(answers: Iterable[tuple[str, Prediction]]) -> Iterator[Sheet]:
    """Sheets of up to `PAGE` answers, each given as soon as it is full.

    A sheet shows each photo beside its answer, over its name, and below all a legend of the
    classes that occur on it. Only the small pictures of one sheet are kept in memory.

    Args:
        answers: name and answer of each photo; all of one model.
    """
    pairs: list[tuple[str, Sheet]] = []
    found: set[int] = set()
    for name, answer in answers:
        pairs.append((name, pair(answer)))
        found.update(np.unique(answer.labels).tolist())
        classes, palette = answer.classes, answer.palette
        if len(pairs) == PAGE:
            yield sheet(pairs, sorted(found), classes, palette)
            pairs, found = [], set()
    if pairs:
        yield sheet(pairs, sorted(found), classes, palette)


def pair(answer: Prediction) -> Sheet:
    """A small photo beside its answer; of all photos the same size."""
    panels = [_fitted(answer.image), _fitted(answer.overlay(legend=False))]
    return np.concatenate(panels, axis=1)


def sheet(
    pairs: Sequence[tuple[str, Sheet]],
    found: Sequence[int],
    classes: Sequence[str],
    palette: Palette,
) -> Sheet:
    """One sheet.

    Args:
        pairs: name of each photo, and its `pair`.
        found: labels of the classes in the legend.
        classes: names of all classes.
        palette: their colours.
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


def _fitted(image: UInt8[np.ndarray, "H W 3"]) -> Sheet:
    """The picture as large as fits into the panel, in the middle of white."""
    scale = min(PANEL[0] / image.shape[0], PANEL[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    panel = np.full((PANEL[0] + GAP, PANEL[1] + GAP, 3), 255, np.uint8)
    top, left = (panel.shape[0] - height) // 2, (panel.shape[1] - width) // 2
    panel[top : top + height, left : left + width] = scale_image(image, (height, width))
    return panel
