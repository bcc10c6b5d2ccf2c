"""What a user gives a model beside its network, and what is refused of it."""

from collections.abc import Sequence

from fullconv.config import RGB, Colors, Factor, Head, Settings, Size
from fullconv.config.network import check_names
from fullconv.errors import ConfigError
from fullconv.io.images import ExtraInput, channels_of, describe_channels
from fullconv.io.palettes import Palette


class Given(Settings):
    """What a user gives a model beside its network."""

    classes: tuple[str, ...]
    palette: Colors
    size: Size | None
    input_scale: Factor


def check_scores(
    classes: Sequence[str], palette: Palette, heads: Sequence[Head], scores: int
) -> None:
    """Check that each score of a network has a name and a colour.

    Args:
        classes: those of the first head.
        palette: its colours.
        heads: () for one head.
        scores: of the network.

    Raises:
        ConfigError: their numbers differ, or a name is invalid or occurs twice.
    """
    others = sum(len(head.classes) for head in heads[1:])
    for what, number in (("class names", len(classes)), ("colours", len(palette))):
        if number + others != scores:
            raise ConfigError(f"{number + others} {what} for a network of {scores} scores")
    check_names(classes, heads)


def check_inputs(inputs: Sequence[ExtraInput], channels: int) -> None:
    """Check that inputs beside a photo have the channels that a network takes.

    Raises:
        ConfigError: they have more or fewer.
    """
    if inputs and channels_of(inputs) != channels:
        raise ConfigError(f"inputs of {channels_of(inputs)} channels for a network of {channels}")


def check_photos(
    heads: Sequence[Head], channels: int, inputs: Sequence[ExtraInput], what: str
) -> None:
    """Refuse what works with plain photos and one head only.

    Args:
        heads: of the model.
        channels: that its network takes.
        inputs: its channels after red, green and blue.
        what: what works with them only, for the message.

    Raises:
        ConfigError: the network takes other channels, too, or has several heads.
    """
    if heads:
        raise ConfigError(
            f"the model has the heads {', '.join(head.name for head in heads)}; {what} takes "
            "models of one head: write one with fullconv export MODEL "
            f"{heads[0].name}.safetensors --head {heads[0].name}"
        )
    if channels != RGB:
        raise ConfigError(
            f"the model takes {describe_channels(channels, inputs)}; {what} takes models of RGB "
            "photos only"
        )
