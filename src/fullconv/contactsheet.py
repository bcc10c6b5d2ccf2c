"""Many answers at one glance: small photos beside their answers, page by page."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.colors import Palette
from fullconv.images import caption, legend, scale_image
from fullconv.prediction import Prediction

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
