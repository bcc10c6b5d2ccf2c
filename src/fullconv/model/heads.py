"""Which scores of a network are which classes: those of one head, or of several."""

from collections.abc import Sequence

from fullconv.config import Head
from fullconv.errors import ConfigError, UnknownNameError


def find_head(heads: Sequence[Head], name: str) -> tuple[Head, int]:
    """Return a head by its name, and the number of its first score.

    Raises:
        UnknownNameError: there is no such head.
    """
    names = [head.name for head in heads]
    if name not in names:
        raise UnknownNameError("head", name, names)
    number = names.index(name)
    return heads[number], sum(len(head.classes) for head in heads[:number])


def check_choice(heads: Sequence[Head], name: str | None) -> None:
    """Refuse a choice of heads that leaves more or less than one.

    Args:
        heads: of the model; () for one without a name.
        name: of the chosen head; None if none was named.

    Raises:
        ConfigError: there are several heads and none is named, or one head and one is named.
    """
    names = ", ".join(head.name for head in heads)
    if heads and name is None:
        raise ConfigError(f"the model has the heads {names}; choose one with --head")
    if name is not None and not heads:
        raise ConfigError(f"the model has one head and no name for it; leave out --head {name}")


def count_scores(classes: Sequence[str], heads: Sequence[Head]) -> dict[str, int]:
    """Return the number of scores of each head by its name, or of a single one by ""."""
    return {head.name: len(head.classes) for head in heads} or {"": len(classes)}
