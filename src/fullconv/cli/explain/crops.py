"""fullconv explain crops: where the maps of a network meet, and what is cropped for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._architecture import find_architecture
from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import Fusing, Json, Padding, Upsampling, say_taken
from fullconv.cli.explain._output import NETWORK, Picture, check_svg, write_picture

if TYPE_CHECKING:
    from fullconv.explain.crops import CropRulers


def command(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=NETWORK, callback=say_taken)],
    padding: Padding = None,
    upsampling: Upsampling = None,
    fusing: Fusing = None,
    out: Picture = Path("crops.svg"),
    json: Json = None,
) -> None:
    """Derive a network's crop offsets from its layers.

    Prints the size of each map and where its pixels are in the image, and draws the rulers of each
    two maps that are added: a crop drops the pixels before the position where both meet.
    """
    from fullconv.explain.crops import crop_rulers, draw_rulers
    from fullconv.explain.narrow import narrow_network
    from fullconv.networks.fcn.summary import derive_crops

    check_svg(out)
    architecture, _ = find_architecture(
        network, padding=padding, upsampling=upsampling, fusing=fusing, usual_classes=1
    )
    narrow = narrow_network(architecture)
    rulers = crop_rulers(narrow)
    title = f"{architecture.name}, padding {architecture.padding}"
    if str(json) != "-":
        say(f"{title}; H are the rows of {rulers.coarsest}")
        _say_maps(rulers)
        say("")
        for line in () if rulers.alignments else derive_crops(narrow):
            say(line)
        for alignment in rulers.alignments:
            other = {alignment.upscore, alignment.target} - {alignment.cropped}
            say(
                f"drop {alignment.offset} of {alignment.cropped}: its pixel {alignment.offset} is "
                f"where pixel 0 of {other.pop()} is"
            )
    if rulers.alignments:
        write_picture(out, draw_rulers(rulers, title))
    write_json(json, _as_json(rulers, architecture.name))


def _say_maps(rulers: "CropRulers") -> None:
    rows = [(ruler.name, str(ruler.rows), str(ruler.centre)) for ruler in rulers.maps]
    say_lines(format_table(("map", "rows", "centre of pixel i in the image"), rows, left=3))


def _as_json(rulers: "CropRulers", name: str) -> dict[str, Any]:
    return {
        "network": name,
        "coarsest": rulers.coarsest,
        "maps": [
            {
                "name": ruler.name,
                "rows": str(ruler.rows),
                "scale": str(ruler.centre.scale),
                "shift": str(ruler.centre.shift),
            }
            for ruler in rulers.maps
        ],
        "crops": [
            {
                "upsampled": alignment.upscore,
                "added_to": alignment.target,
                "cropped": alignment.cropped,
                "offset": alignment.offset,
            }
            for alignment in rulers.alignments
        ],
    }
