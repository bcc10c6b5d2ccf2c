"""fullconv explain skips: what the scores of each stride contribute to a prediction."""

import math
from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import Json, say_taken
from fullconv.cli.explain._output import Picture, check_svg, write_picture
from fullconv.cli.explain._photo import load_network, read_photo
from fullconv.errors import UnknownNameError


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run folder, a .safetensors model file or a bundled model.",
            callback=say_taken,
        ),
    ],
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The photo to predict.")],
    show: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="Class whose score is drawn.",
            show_default="the most frequent one",
        ),
    ] = None,
    out: Picture = Path("skips.svg"),
    json: Json = None,
) -> None:
    """Show what the scores of each stride contribute.

    A network's score is the sum of those of its strides (32s, 16s, 8s, ...). Draws the prediction
    of the coarsest one, what each further one changes, and each one's score of a class.
    """
    from fullconv.explain.skips import draw_contributions, rounding, skip_contributions

    check_svg(out)
    model = load_network(run)
    if show is not None and show not in model.classes:
        raise UnknownNameError("class", show, model.classes)
    image, batch = read_photo(photo, model)
    found = skip_contributions(model.network, batch)
    most = int(found[-1].labels.flatten().bincount().argmax())
    shown = most if show is None else model.classes.index(show)
    rows = [
        (
            each.name,
            f"{each.strength:.3g}",
            "-" if math.isnan(each.changed) else f"{100 * each.changed:.1f} %",
            str(len(each.present)),
        )
        for each in found
    ]
    if str(json) != "-":
        titles = ("scores", "mean |score|", "pixels changed", "classes predicted")
        say_lines(format_table(titles, rows))
        difference = rounding(model.network, batch, found)
        say(f"their sum differs from the network's score by {difference:.1g}")
    write_picture(out, draw_contributions(found, image, model.classes, model.palette, shown))
    values = [
        {
            "scores": each.name,
            "mean_absolute_score": each.strength,
            "changed": None if math.isnan(each.changed) else each.changed,
            "classes": [model.classes[label] for label in each.present],
        }
        for each in found
    ]
    write_json(json, {"shown": model.classes[shown], "contributions": values})
