"""The names of the background: the class of pixels outside all shapes."""

GROUND = ("_background_", "background", "__background__")


def is_background(name: str) -> bool:
    """Return whether a class is the background by its name."""
    return name.casefold() in GROUND
