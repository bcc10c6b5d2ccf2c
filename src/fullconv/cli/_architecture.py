"""The network that a command is about: by its name and options, or that of a run or model file."""

from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._options import parse_padding

if TYPE_CHECKING:
    from fullconv.config import Architecture
    from fullconv.inference.model_file import Card


def find_architecture(
    model: str,
    classes: int,
    padding: str = "same",
    width: float = 1.0,
    hidden: int | None = None,
    upsampling: str | None = None,
    fusing: str = "cascade",
) -> tuple["Architecture", "Card | None"]:
    """Return the architecture, and the header of the model file if `model` is one or has one.

    The other arguments describe a network that is given by its name.
    """
    from fullconv.config import new_architecture
    from fullconv.inference.model_file import is_path, model_file, read_card

    if is_path(model):
        card = read_card(model_file(Path(model)))
        return card.architecture, card
    architecture = new_architecture(
        model,
        classes,
        padding=parse_padding(padding),
        width=width,
        hidden=hidden,
        upsampling=upsampling,
        fusing=fusing,
    )
    return architecture, None
