"""fullconv explain bilinear: the table of a bilinear interpolation in exact fractions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json, parse_size
from fullconv.cli.explain._output import MATRIX, Picture, check_svg, say_matrix, write_picture
from fullconv.errors import ConfigError

if TYPE_CHECKING:
    from fullconv.explain.bilinear import BilinearTable, InterpolationAxis
    from fullconv.explain.matrices import Matrix

CORNERS = {"both": (True, False), "aligned": (True,), "edges": (False,)}
MAX_SIDE = 64  # of the output


def command(
    input_: Annotated[
        str, typer.Option("--input", metavar="MATRIX", help=f"The pixels to interpolate. {MATRIX}")
    ] = "1 2; 3 4",
    factor: Annotated[
        str, typer.Option(metavar="F", help="Enlarge by this factor, e.g. 2, 1/2 or 1.5.")
    ] = "2",
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Size of the output.", show_default="from the factor"),
    ] = None,
    corners: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="Corner rule: aligned (align_corners=True), edges (False) or both.",
        ),
    ] = "both",
    out: Picture = Path("bilinear.svg"),
    json: Json = None,
) -> None:
    """Show bilinear interpolation in exact fractions.

    Prints each new pixel's position in the input, its weights and the interpolated values, by both
    corner rules, and the kernel of the transposed convolution that does the same.
    """
    from fullconv.explain.bilinear import RULES, bilinear_kernel_matrix, bilinear_table, draw_tables
    from fullconv.explain.matrices import as_json, parse_matrix, size_of

    check_svg(out)
    if corners not in CORNERS:
        raise ConfigError(f"--corners {corners[:60]}: expected one of {', '.join(CORNERS)}")
    x = parse_matrix(input_, "--input")
    target, whole = _target(size_of(x), factor, parse_size(size))
    tables = [bilinear_table(x, target, rule) for rule in CORNERS[corners]]
    kernel = bilinear_kernel_matrix(whole) if whole else None
    if str(json) != "-":
        say_matrix(x, "input")
        for table in tables:
            say("")
            _say_table(table, RULES[table.align_corners])
        if kernel:
            _say_kernel(kernel, whole)
    write_picture(out, draw_tables(tables, kernel, whole))
    values: dict[str, Any] = {"input": as_json(x), "tables": [_as_json(table) for table in tables]}
    if kernel:
        values["transposed_convolution"] = {"stride": whole, "kernel": as_json(kernel)}
    write_json(json, values)


def _target(
    size: tuple[int, int], factor: str, wanted: tuple[int, int] | None
) -> tuple[tuple[int, int], int]:
    """Return the size of the output, and the factor if it is a whole number up to 8, else 0."""
    from fullconv.explain.matrices import parse_matrix

    scale = parse_matrix(factor, "--factor")[0][0]
    sides = wanted or tuple(side * scale for side in size)
    if not all(1 <= side <= MAX_SIDE and side == int(side) for side in sides):
        raise ConfigError(
            f"--factor {factor[:20]} makes {size[0]} x {size[1]} pixels "
            f"{float(sides[0]):g} x {float(sides[1]):g}; expected whole numbers from 1 to "
            f"{MAX_SIDE}"
            if wanted is None
            else f"--size {wanted[0]}x{wanted[1]}: expected at most {MAX_SIDE}x{MAX_SIDE}"
        )
    height, width = map(int, sides)
    ratio = height // size[0]
    is_whole = (height, width) == (ratio * size[0], ratio * size[1]) and 2 <= ratio <= 8
    return (height, width), ratio if is_whole else 0


def _say_table(table: "BilinearTable", rule: str) -> None:
    step = table.columns.step
    say(f"{rule}: {'one pixel' if step is None else f'new pixels are {step} apart'}")
    axes = {"row": table.rows, "column": table.columns}
    if table.rows == table.columns:
        axes = {"row or column": table.rows}
    for name, axis in axes.items():
        say(f"  {name}  position  weights")
        for i, position in enumerate(axis.positions):
            say(f"  {i:>{len(name)}}  {position!s:>8}  {_weights(axis, i)}")
    say_matrix(table.values, "values")


def _weights(axis: "InterpolationAxis", i: int) -> str:
    return " + ".join(f"{weight} of {j}" for j, weight in enumerate(axis.weights[i]) if weight)


def _say_kernel(kernel: "Matrix", factor: int) -> None:
    say("")
    say(f"a transposed convolution of stride {factor} gives the values of align_corners=False,")
    say("  except at the edges, where it adds zeros instead of repeating the outer pixels")
    say_matrix(kernel, "its kernel")


def _as_json(table: "BilinearTable") -> dict[str, Any]:
    from fullconv.explain.matrices import as_json

    axes = {"rows": table.rows, "columns": table.columns}
    return {
        "align_corners": table.align_corners,
        **{
            name: {
                "positions": [str(position) for position in axis.positions],
                "weights": as_json(axis.weights),
            }
            for name, axis in axes.items()
        },
        "output": as_json(table.values),
    }
