"""Draw strips of text: a legend of classes, a caption."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from fullconv.io.palettes import Color


def legend(
    names: Sequence[str], palette: Sequence[Color], width: int
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw a legend on a white strip of `width` pixels: a swatch and a name per class, in rows."""
    font = ImageFont.load_default(13)
    cells = [int(font.getlength(name)) + 34 for name in names]
    rows: list[list[int]] = [[]]
    for index, cell in enumerate(cells):
        if rows[-1] and sum(cells[i] for i in rows[-1]) + cell > width - 12:
            rows.append([])
        rows[-1].append(index)
    picture = Image.new("RGB", (width, 22 * len(rows) + 10), "white")
    draw = ImageDraw.Draw(picture)
    for line, indices in enumerate(rows):
        left, top = 8, 22 * line + 7
        for index in indices:
            draw.rectangle((left, top, left + 16, top + 14), palette[index], outline=(90, 90, 90))
            draw.text((left + 21, top - 1), names[index], (20, 20, 20), font)
            left += cells[index]
    return np.array(picture)


def caption(text: str, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """Draw a line of text on a white strip of `width` pixels, shortened in its middle to fit."""
    font = ImageFont.load_default(12)
    shown, kept = text, len(text)
    while kept > 1 and font.getlength(shown) > width - 8:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept + 1) // 2 :]}"
    picture = Image.new("RGB", (width, 20), "white")
    ImageDraw.Draw(picture).text((4, 2), shown, (20, 20, 20), font)
    return np.array(picture)
