"""fullconv explain unpooling: max pooling, its indices, and un-pooling."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json
from fullconv.cli.explain._output import (
    MATRIX,
    Picture,
    align,
    check_svg,
    say_matrix,
    write_picture,
)


def command(
    input_: Annotated[
        str, typer.Option("--input", metavar="MATRIX", help=f"The pixels to pool. {MATRIX}")
    ] = "1 2 6 3; 3 5 2 1; 1 2 2 1; 7 3 4 8",
    window: Annotated[
        int, typer.Option(metavar="N", min=1, max=16, help="Size and stride of the windows.")
    ] = 2,
    out: Picture = Path("unpooling.svg"),
    json: Json = None,
) -> None:
    """Show max pooling with its indices, and un-pooling.

    Pooling keeps the maximum of each window and remembers its index; un-pooling puts each value
    back there, with zeros elsewhere.
    """
    from fullconv.explain.matrices import as_json, parse_matrix
    from fullconv.explain.unpooling import draw_unpooling, unpooling_table

    check_svg(out)
    table = unpooling_table(parse_matrix(input_, "--input"), window)
    if str(json) != "-":
        say_matrix(table.input, "input")
        say_matrix(table.pooled, f"maxima of windows of {window} x {window}")
        say("indices, which count the input's pixels row by row from 0:")
        for line in align([[str(index) for index in row] for row in table.indices]):
            say(line)
        say_matrix(table.output, "un-pooled")
        pixels = len(table.input) * len(table.input[0])
        say(f"{table.kept} of {pixels} pixels keep their value")
    write_picture(out, draw_unpooling(table))
    write_json(
        json,
        {
            "input": as_json(table.input),
            "window": window,
            "pooled": as_json(table.pooled),
            "indices": table.indices,
            "output": as_json(table.output),
        },
    )
