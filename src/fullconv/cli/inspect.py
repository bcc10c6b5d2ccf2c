"""fullconv inspect: what a network or a model file is made of."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import format_table, say, write_json
from fullconv.cli._options import FUSING, UPSAMPLING, Json, parse_padding, parse_size

if TYPE_CHECKING:
    from fullconv.networks.fcn import FCN
    from fullconv.networks.fcn.summary import LayerRow


TITLES = ("layer", "kind", "output", "parameters", "multiply-adds", "stride", "field")


def command(
    model: Annotated[str, typer.Argument(help="A network's name, a run folder or a model file.")],
    classes: Annotated[int, typer.Option(help="Scores a pixel, for a name.")] = 21,
    padding: Annotated[str, typer.Option(help="'same', or pixels of zeros: 100.")] = "same",
    width: Annotated[float, typer.Option(help="Multiplies all widths.")] = 1.0,
    hidden: Annotated[int | None, typer.Option(help="Width of fc6 and fc7.")] = None,
    upsampling: Annotated[str, typer.Option(help=UPSAMPLING)] = "transposed",
    fusing: Annotated[str, typer.Option(help=FUSING)] = "cascade",
    size: Annotated[str, typer.Option(metavar="HxW", help="Of the image.")] = "500x500",
    json: Json = None,
) -> None:
    """Show every layer: output, parameters, multiply-adds, stride, field; and how crops follow."""
    from fullconv.config import Architecture, Normalization
    from fullconv.inference.model_file import model_file, read_card
    from fullconv.networks.fcn.summary import anatomy, derivation, on_meta

    height, across = parse_size(size) or (0, 0)
    card = read_card(model_file(Path(model))) if Path(model).exists() else None
    architecture = (
        card.architecture
        if card
        else Architecture.checked(
            name=model,
            classes=classes,
            padding=parse_padding(padding),
            width=width,
            hidden=hidden,
            upsampling=upsampling,
            fusing=fusing,
        )
    )
    plain = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    network = on_meta(architecture, card.normalization if card else plain)
    rows = anatomy(network, height, across)
    if str(json) != "-":
        say(format_table(TITLES, map(_cells, rows), left=2))
        _totals(rows, f"{architecture.name} on {height} x {across}")
        say("")
        say(f"crop offsets {', '.join(map(str, network.offsets()))}:")
        for line in derivation(network):
            say(f"  {line}")
        if card:
            say(f"classes {', '.join(card.classes)}")
    write_json(json, _values(rows, network))


def _cells(row: "LayerRow") -> tuple[str, ...]:
    return (
        row.name,
        row.kind,
        " x ".join(map(str, row.shape)),
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        "" if row.stride is None else str(row.stride),
        "" if row.field is None else str(row.field),
    )


def _totals(rows: "list[LayerRow]", what: str) -> None:
    parameters = sum(row.parameters for row in rows)
    work = sum(row.multiply_adds for row in rows)
    say(f"{what}: {parameters:,} parameters, {work / 1e9:.2f} billion multiply-adds")


def _values(rows: "list[LayerRow]", network: "FCN") -> dict[str, Any]:
    return {
        "layers": [asdict(row) for row in rows],
        "offsets": network.offsets(),
        "parameters": sum(row.parameters for row in rows),
        "multiply_adds": sum(row.multiply_adds for row in rows),
    }
