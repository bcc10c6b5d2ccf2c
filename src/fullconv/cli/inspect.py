"""fullconv inspect: show the layers of a network or a model file."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._architecture import find_architecture
from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import (
    Fusing,
    Hidden,
    Json,
    Padding,
    Upsampling,
    Width,
    parse_size,
    say_taken,
)

if TYPE_CHECKING:
    from fullconv.networks.fcn import FCN
    from fullconv.networks.fcn.summary import LayerRow


TITLES = ("layer", "kind", "output", "parameters", "multiply-adds", "stride", "field")


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A network's name, e.g. fcn8s-vgg16, a run folder, a model file, or a bundled "
            "model (fullconv models).",
            callback=say_taken,
        ),
    ],
    classes: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Number of classes, if MODEL is a network's name.", show_default="21"
        ),
    ] = None,
    padding: Padding = None,
    width: Width = None,
    hidden: Hidden = None,
    upsampling: Upsampling = None,
    fusing: Fusing = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="Image size.")] = "500x500",
    json: Json = None,
) -> None:
    """Show the layers of a network or model file.

    Lists output shape, parameters, multiply-adds, stride and receptive field of every layer, and
    derives the crop offsets.
    """
    from fullconv.config import Normalization
    from fullconv.networks.fcn.summary import derive_crops, on_meta, summarize

    image_height, image_width = parse_size(size) or (0, 0)
    architecture, card = find_architecture(
        model,
        classes=classes,
        padding=padding,
        width=width,
        hidden=hidden,
        upsampling=upsampling,
        fusing=fusing,
    )
    identity = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    network = on_meta(architecture, card.normalization if card else identity)
    rows = summarize(network, image_height, image_width)
    if str(json) != "-":
        say_lines(format_table(TITLES, map(_format_row, rows), left=2))
        _print_totals(rows, f"{architecture.name} on {image_height} x {image_width}")
        say("")
        say(f"crop offsets {', '.join(map(str, network.offsets()))}:")
        for line in derive_crops(network):
            say(f"  {line}")
        if card:
            for head in card.heads:
                say(f"head {head.name}: {', '.join(head.classes)}")
            if not card.heads:
                say(f"classes {', '.join(card.classes)}")
    write_json(json, _as_json(rows, network))


def _format_row(row: "LayerRow") -> tuple[str, ...]:
    return (
        row.name,
        row.kind,
        " x ".join(map(str, row.shape)),
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        "" if row.stride is None else str(row.stride),
        "" if row.field is None else str(row.field),
    )


def _print_totals(rows: "list[LayerRow]", title: str) -> None:
    parameters = sum(row.parameters for row in rows)
    multiply_adds = sum(row.multiply_adds for row in rows)
    say(f"{title}: {parameters:,} parameters, {multiply_adds / 1e9:.2f} billion multiply-adds")


def _as_json(rows: "list[LayerRow]", network: "FCN") -> dict[str, Any]:
    return {
        "layers": [asdict(row) for row in rows],
        "offsets": network.offsets(),
        "parameters": sum(row.parameters for row in rows),
        "multiply_adds": sum(row.multiply_adds for row in rows),
    }
