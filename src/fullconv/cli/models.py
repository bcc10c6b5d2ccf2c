"""fullconv models: list the bundled models."""

from typing import TYPE_CHECKING

from fullconv.cli._console import format_table, say, say_lines, write_json
from fullconv.cli._options import Json

if TYPE_CHECKING:
    from fullconv.inference.shelf import ShelfModel


TITLES = ("name", "network", "data", "mean IoU", "MB", "here")


def command(json: Json = None) -> None:
    """List the bundled models.

    Every command takes their names as MODEL, for example: fullconv predict camvid street.jpg. A
    file or folder of that name in the working directory takes precedence, and the command says so.
    """
    from fullconv.inference.shelf import shelf

    found = [*shelf().values()]
    if str(json) != "-":
        say_lines(format_table(TITLES, map(_row, found), left=3))
        for model in found:
            say("")
            say(f"{model.name}: {model.title}")
            say(f"  licence   {model.licence}")
            note = f": {model.note}" if model.note else ""
            say(f"  mean IoU  {_score(model)} on {model.evaluated}, {model.images} images{note}")
            say(f"  protocol  {model.protocol}")
            if path := model.local:
                say(f"  file      {path}")
    described = [
        model.model_dump(mode="json") | {"path": str(model.local) if model.local else None}
        for model in found
    ]
    write_json(json, {"models": described})


def _row(model: "ShelfModel") -> tuple[str, ...]:
    here = "yes" if model.local else "no"
    size = f"{model.bytes / 1e6:.1f}"
    return model.name, model.network, model.data, _score(model), size, here


def _score(model: "ShelfModel") -> str:
    return f"{100 * model.mean_iou:.1f}"
