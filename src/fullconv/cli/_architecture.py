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

    Raises:
        ConfigError: `model` is a file, whose network has been decided, but one of them is given.
    """
    from fullconv.config import new_architecture
    from fullconv.inference.model_file import is_path, model_file, read_card

    if is_path(model):
        refuse_settings(model, padding, width, hidden, upsampling, fusing)
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


def refuse_settings(
    model: str,
    padding: str = "same",
    width: float = 1.0,
    hidden: int | None = None,
    upsampling: str | None = None,
    fusing: str = "cascade",
) -> None:
    """Refuse settings of a network beside a model file, in which they have been decided.

    Raises:
        ConfigError: one is given.
    """
    from fullconv.errors import ConfigError

    given = {
        "--padding": padding != "same",
        "--width": width != 1,
        "--hidden": hidden is not None,
        "--upsampling": upsampling is not None,
        "--fusing": fusing != "cascade",
    }
    if option := next((name for name, there in given.items() if there), None):
        raise ConfigError(
            f"{option} is for a network that is given by its name; {model} is a file, whose "
            f"network has been decided: omit {option}"
        )
