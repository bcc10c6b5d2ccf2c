"""fullconv explain receptive-field: which pixels a feature depends on, derived and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._architecture import find_architecture
from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import Json, Padding, say_taken
from fullconv.cli.explain._output import NETWORK, Picture, check_svg, write_picture
from fullconv.cli.explain._photo import load_network, read_photo

if TYPE_CHECKING:
    from fullconv.explain.field_picture import FeatureFields, Influence


def command(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=NETWORK, callback=say_taken)],
    photo: Annotated[
        Path | None,
        typer.Argument(
            metavar="PHOTO", help="A photo to draw the fields on.", show_default="an empty square"
        ),
    ] = None,
    padding: Padding = None,
    out: Picture = Path("receptive-field.svg"),
    json: Json = None,
) -> None:
    """Show receptive fields, derived and measured by gradient.

    Prints the field of each feature that is scored, and draws it around the photo's centre. For a
    trained model it also draws which pixels influence the score at the centre of the photo.
    """
    from fullconv.explain.field_picture import compare_fields, draw_fields, influence
    from fullconv.explain.narrow import narrow_network

    check_svg(out)
    architecture, card = find_architecture(network, padding=padding, usual_classes=1)
    model = load_network(network) if card and photo else None
    image, batch = read_photo(photo, model) if photo else (None, None)
    fields = compare_fields(narrow_network(architecture))
    found, label = None, ""
    if model and batch is not None:
        found = influence(model.network, batch)
        label = model.classes[found.label]
    if str(json) != "-":
        say(f"{architecture.name}, padding {architecture.padding}")
        _say_fields(fields)
        if found:
            _say_influence(found, label)
    write_picture(out, draw_fields(fields, image, found, label))
    write_json(json, _as_json(fields, found, label))


def _say_fields(fields: "list[FeatureFields]") -> None:
    rows = []
    for each in fields:
        derived = each.derived
        measured = "-" if each.measured is None else f"{each.measured[0].size}"
        if each.measured and each.measured[0] != each.measured[1]:
            measured += f" x {each.measured[1].size}"
        size = str(derived.size) if derived.bounded else "whole image"
        rows.append((each.feature, str(derived.stride), size, measured, str(derived.map)))
    titles = ("feature", "stride", "derived", "measured", "centre of pixel i")
    say_lines(format_table(titles, rows))
    for each in fields:
        if each.measured and not each.equal:
            say(f"note   {each.feature}: the measured field differs from the derived one")


def _say_influence(found: "Influence", label: str) -> None:
    say(f"score of {label} at row {found.row}, column {found.column} of the photo:")
    for share in (0.5, 0.95):
        side = found.side(share)
        say(f"  {100 * share:.0f} % of the gradient comes from {side} x {side} pixels around it")


def _as_json(fields: "list[FeatureFields]", found: "Influence | None", label: str) -> Any:
    values: dict[str, Any] = {
        "features": [
            {
                "name": each.feature,
                "stride": str(each.derived.stride),
                "derived": each.derived.size if each.derived.bounded else None,
                "measured": [field.size for field in each.measured] if each.measured else None,
                "first_centre": str(each.derived.map.shift),
            }
            for each in fields
        ]
    }
    if found:
        values["influence"] = {
            "row": found.row,
            "column": found.column,
            "class": label,
            "side_50": found.side(0.5),
            "side_95": found.side(0.95),
        }
    return values
