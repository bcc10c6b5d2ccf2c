"""The network that a command is about: by its name and options, or that of a run or model file."""

from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._options import parse_padding
from fullconv.errors import ConfigError

if TYPE_CHECKING:
    from fullconv.config import Architecture
    from fullconv.inference.model_file import Card


CLASSES = 21  # of a network, unless told otherwise: those of VOC


def find_architecture(
    model: str,
    *,
    classes: int | None = None,
    padding: str | None = None,
    width: float | None = None,
    hidden: int | None = None,
    upsampling: str | None = None,
    fusing: str | None = None,
    usual_classes: int = CLASSES,
) -> tuple["Architecture", "Card | None"]:
    """Return the architecture, and the header of the model file if `model` is one or has one.

    The other arguments are options that describe a network which is given by its name; None is one
    that the user has not given.

    Args:
        model: the name of a network, or a model.
        classes: number of classes.
        padding: "same", or a number of pixels.
        width: channel multiplier.
        hidden: channels of fc6 and fc7.
        upsampling: how scores are upsampled.
        fusing: how they are combined.
        usual_classes: number of classes if the user gives none.

    Raises:
        ConfigError: an option has no effect on a model, or describes no network.
    """
    from fullconv.config import new_architecture
    from fullconv.inference.model_file import is_path, model_file, read_card

    refuse_network_options(
        model,
        classes=classes,
        padding=padding,
        width=width,
        hidden=hidden,
        upsampling=upsampling,
        fusing=fusing,
    )
    if is_path(model):
        card = read_card(model_file(Path(model)))
        return card.architecture, card
    architecture = new_architecture(
        model,
        usual_classes if classes is None else classes,
        padding=parse_padding("same" if padding is None else padding),
        width=1.0 if width is None else width,
        hidden=hidden,
        upsampling=upsampling,
        fusing="cascade" if fusing is None else fusing,
    )
    return architecture, None


def refuse_network_options(model: str, **options: object) -> None:
    """Refuse options that describe a network where a model brings its own.

    Args:
        model: the name of a network, or a model.
        options: by their names; None is one that the user has not given.

    Raises:
        ConfigError: the user has given one, and `model` is a model.
    """
    from fullconv.inference.model_file import is_path

    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given and is_path(model):
        verb, it = ("has", "it") if len(given) == 1 else ("have", "them")
        raise ConfigError(
            f"{' and '.join(given)} {verb} no effect on {model}, a model whose network is fixed; "
            f"omit {it}, or give the name of a network, such as fcn8s-vgg16"
        )
