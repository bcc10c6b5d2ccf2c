"""Draw SVG pictures that are legible on light and on dark pages; lengths are in pixels."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from fullconv.errors import printable
from fullconv.io.images import encode_jpeg, encode_png

Tone = Literal["plain", "soft", "blue", "orange", "green"]
"""Fill of a cell: the page's own colour, a faint grey, or one of three colours."""

Anchor = Literal["start", "middle", "end"]

# paper, ink, muted text, lines, soft fill, then fill and stroke of each colour
_LIGHT = "#fff #1f2328 #59636e #c8d1da #f0f3f6 #cfe3fb #0b62a8 #fbe0c6 #b8500a #d3efd8 #1a7f37"
_DARK = "#0d1117 #e6edf3 #9aa4af #3d444d #1b2129 #123f6d #6cb4f0 #5c3410 #f0a15a #14481f #56d364"
_COLORS = ("blue", "orange", "green")
_NAMES = ("paper", "ink", "muted", "line", "soft", *(c + e for c in _COLORS for e in ("", "-edge")))


class Drawing:
    """An SVG picture that is drawn piece by piece.

    Args:
        width: of the picture.
        height: likewise.
        title: what the picture shows, for screen readers and as a tool tip.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 14,
        anchor: Anchor = "start",
        style: str = "ink",
    ) -> None:
        """Write a line of text whose baseline is at y.

        Args:
            x: position of the anchor.
            y: position of the baseline.
            text: any characters; control characters are replaced.
            size: of the font.
            anchor: which part of the text is at x.
            style: "ink", "muted", "strong" (bold), or a colour's edge such as "blue-edge".
        """
        self._add(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" text-anchor="{anchor}" '
            f'class="t-{style}">{escape(printable(text))}</text>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, style: str = "line", width: float = 1
    ) -> None:
        """Draw a straight line in the colour `style`."""
        self._add(f'<path d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}" {_stroke(style, width)}/>')

    def arrow(self, x1: float, y1: float, x2: float, y2: float, style: str = "muted") -> None:
        """Draw a line with a head at its end; it is horizontal or vertical."""
        self.line(x1, y1, x2, y2, style, 1.5)
        if y1 == y2:
            back = x2 - (6 if x2 > x1 else -6)
            (a, b), (c, d) = (back, y2 - 4), (back, y2 + 4)
        else:
            back = y2 - (6 if y2 > y1 else -6)
            (a, b), (c, d) = (x2 - 4, back), (x2 + 4, back)
        shape = f"M{_n(a)} {_n(b)}L{_n(x2)} {_n(y2)} {_n(c)} {_n(d)}"
        self._add(f'<path d="{shape}" {_stroke(style, 1.5)}/>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        tone: str = "plain",
        edge: str = "line",
        thickness: float = 1,
    ) -> None:
        """Draw a rectangle; tone "none" leaves it empty."""
        self._add(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'class="f-{tone} s-{edge}" stroke-width="{_n(thickness)}"/>'
        )

    def swatch(self, x: float, y: float, color: tuple[int, int, int]) -> None:
        """Draw a square of 14 pixels in an RGB colour, for legends."""
        self._add(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="14" height="14" class="s-line" '
            f'fill="rgb{tuple(map(int, color))}"/>'
        )

    def dot(self, x: float, y: float, radius: float, tone: str = "ink", edge: str = "ink") -> None:
        """Draw a circle."""
        self._add(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="f-{tone} s-{edge}"/>')

    def grid(
        self,
        x: float,
        y: float,
        rows: Sequence[Sequence[str]],
        cell: float = 36,
        tone: Callable[[int, int], Tone] = lambda row, column: "plain",
    ) -> None:
        """Draw a matrix as a grid of square cells with a text in each."""
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                left, top = x + cell * j, y + cell * i
                self.box(left, top, cell, cell, tone(i, j))
                if text:
                    size = min(14.0, 0.42 * cell, 1.5 * cell / max(len(text), 1))
                    middle = top + cell / 2 + 0.35 * size
                    style = "muted" if text == "0" else "ink"
                    self.text(left + cell / 2, middle, text, size, "middle", style)

    def image(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        pixels: UInt8[np.ndarray, "H W 3"],
        exact: bool = False,
    ) -> None:
        """Embed an image; `exact` stores it without loss and shows its pixels as squares."""
        content, kind = (encode_png(pixels), "png") if exact else (encode_jpeg(pixels, 85), "jpeg")
        style = ' style="image-rendering:pixelated"' if exact else ""
        self._add(
            f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"{style} '
            f'preserveAspectRatio="none" href="data:image/{kind};base64,'
            f'{b64encode(content).decode()}"/>'
        )

    def render(self) -> str:
        """Return the picture as the text of an SVG file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(self.width)} '
                f'{_n(self.height)}" width="{_n(self.width)}" height="{_n(self.height)}" '
                'role="img" font-family="system-ui,sans-serif">',
                f"<title>{escape(printable(self.title))}</title>",
                f"<style>{_css()}</style>",
                '<rect width="100%" height="100%" class="f-paper"/>',
                *self._parts,
                "</svg>\n",
            ]
        )

    def _add(self, part: str) -> None:
        self._parts.append(part)


def _css() -> str:
    """Return the style sheet: one rule per colour, whose values differ on dark pages."""
    light, dark = (
        ";".join(f"--{name}:{color}" for name, color in zip(_NAMES, values.split(), strict=True))
        for values in (_LIGHT, _DARK)
    )
    rules = [f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"]
    for name in _NAMES:
        rules.append(f".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}")
    rules += [
        ".f-plain{fill:var(--paper)}.f-none{fill:none}.s-none{stroke:none}",
        *(f".t-{name}{{fill:var(--{name})}}" for name in _NAMES if name not in ("paper", "line")),
        ".t-strong{fill:var(--ink);font-weight:600}",
    ]
    return "".join(rules)


def _stroke(style: str, width: float) -> str:
    return f'class="f-none s-{style}" stroke-width="{_n(width)}"'


def _n(value: float) -> str:
    """Format a length with at most one decimal, so that files are small and reproducible."""
    return f"{round(float(value), 1):g}"
