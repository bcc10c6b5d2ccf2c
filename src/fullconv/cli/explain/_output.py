"""What the commands of `fullconv explain` share: the options for pictures, and matrices as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import say, say_path
from fullconv.errors import ConfigError

if TYPE_CHECKING:
    from fullconv.explain.matrices import Matrix

COLUMNS = 78  # characters of a matrix; wider ones are in the picture and the JSON only
ROWS = 32  # lines of a matrix, likewise

Picture = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The picture to write: an .svg file.")
]
NETWORK = "A network's name, e.g. fcn8s-vgg16, a run folder or model file."
MATRIX = 'Rows separated by semicolons, numbers by spaces: "1 2; 3 1/2".'


def check_svg(path: Path) -> Path:
    """Refuse a name for a picture that does not end in .svg, before anything is computed.

    Raises:
        ConfigError: it has another suffix.
    """
    if path.suffix.lower() != ".svg":
        raise ConfigError(f"--out {path}: expected a name that ends in .svg")
    return path


def write_picture(path: Path, picture: str) -> None:
    """Write a picture and print its name."""
    from fullconv.io.atomic import write_text

    write_text(path, picture)
    say_path(path, "picture  ")


def say_matrix(matrix: "Matrix", what: str) -> None:
    """Print a matrix below a title, or its size if it is too large for a terminal."""
    rows = [[str(value) for value in row] for row in matrix]
    size = f"{len(rows)} x {len(rows[0])}"
    lines = align(rows)
    if len(lines) > ROWS or max(map(len, lines)) > COLUMNS:
        say(f"{what} ({size}): too large for here, see the picture or --json")
        return
    say(f"{what} ({size}):")
    for line in lines:
        say(line)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return right-aligned columns of equal width, indented by two."""
    width = max(len(cell) for row in rows for cell in row)
    return ["  " + "  ".join(cell.rjust(width) for cell in row) for row in rows]
