"""fullconv explain transposed: a transposed convolution in three views."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json
from fullconv.cli.explain._output import MATRIX, Picture, check_svg, say_matrix, write_picture
from fullconv.errors import ConfigError

if TYPE_CHECKING:
    from fullconv.explain.transposed import TransposedViews

SHOWN = 8  # stamps that are listed


def command(
    input_: Annotated[
        str, typer.Option("--input", metavar="MATRIX", help=f"The pixels to upsample. {MATRIX}")
    ] = "1 2; 3 4",
    kernel: Annotated[
        str,
        typer.Option(
            metavar="MATRIX", help="The kernel's weights, or 'bilinear' for those of the stride."
        ),
    ] = "1 2 3; 4 5 6; 7 8 9",
    stride: Annotated[
        int, typer.Option(metavar="S", min=1, max=16, help="Output pixels per input pixel.")
    ] = 2,
    out: Picture = Path("transposed.svg"),
    json: Json = None,
) -> None:
    """Show a transposed convolution in three views.

    Inserts zeros and convolves with the rotated kernel; adds a multiple of the kernel for each
    pixel; multiplies by the transposed matrix of a convolution. All three give the same numbers,
    which are exact fractions.
    """
    from fullconv.explain.bilinear import bilinear_kernel_matrix
    from fullconv.explain.matrices import as_json, parse_matrix
    from fullconv.explain.transposed import draw_views, transposed_views

    check_svg(out)
    if kernel == "bilinear" and not 2 <= stride <= 8:
        raise ConfigError(f"--kernel bilinear with --stride {stride}: expected a stride of 2 to 8")
    weights = (
        bilinear_kernel_matrix(stride) if kernel == "bilinear" else parse_matrix(kernel, "--kernel")
    )
    views = transposed_views(parse_matrix(input_, "--input"), weights, stride)
    if str(json) != "-":
        _say_views(views)
    write_picture(out, draw_views(views))
    write_json(
        json,
        {
            "input": as_json(views.input),
            "kernel": as_json(views.kernel),
            "stride": stride,
            "insertion": {"dilated": as_json(views.dilated), "rotated": as_json(views.rotated)},
            "scattering": {
                "stamps": [as_json(stamp) for stamp in views.stamps],
                "overlaps": views.overlaps,
            },
            "matrix": as_json(views.matrix),
            "output": as_json(views.output),
            "views_agree": views.agree,
        },
    )


def _say_views(views: "TransposedViews") -> None:
    say_matrix(views.input, "input")
    say_matrix(views.kernel, "kernel")
    say("")
    say("1. insert zeros between and around the pixels, convolve the rotated kernel")
    say_matrix(views.dilated, "input with zeros")
    say_matrix(views.rotated, "rotated kernel")
    say("")
    say("2. each pixel adds its multiple of the kernel to the output")
    _say_stamps(views)
    say("")
    say("3. the matrix of the convolution from the output's size to the input's,")
    say("   transposed, times the flattened input")
    say_matrix(tuple(zip(*views.matrix, strict=True)), "transposed matrix")
    say("")
    say_matrix(views.output, "output of every view" if views.agree else "output of the first view")
    if not views.even:
        kernel = f"{len(views.kernel)} x {len(views.kernel[0])}"
        say(f"note   the kernel's {kernel} are no multiples of the stride {views.stride}:")
        say("       output pixels get unequal numbers of stamps, a checkerboard pattern")


def _say_stamps(views: "TransposedViews") -> None:
    high, wide = len(views.kernel), len(views.kernel[0])
    for number in range(min(len(views.stamps), SHOWN)):
        i, j = divmod(number, len(views.input[0]))
        top, left = views.stride * i, views.stride * j
        say(
            f"  pixel ({i}, {j}): {views.input[i][j]} x kernel at rows {top} to {top + high - 1}, "
            f"columns {left} to {left + wide - 1}"
        )
    if len(views.stamps) > SHOWN:
        say(f"  ... and {len(views.stamps) - SHOWN} more")
