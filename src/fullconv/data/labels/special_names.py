"""Class names with a meaning of their own: the background, and ignored pixels."""

GROUND = ("_background_", "background", "__background__")
"""Names of the class of pixels outside all shapes."""

IGNORE = "__ignore__"
"""LabelMe's name of ignored pixels, whatever their value."""

VOID_NAMES = ("void", "ignore", "ignored", "unlabelled", "unlabeled")
"""Names that mean ignored pixels if the value is 255, and are classes like others if it is not."""


def is_background(name: str) -> bool:
    """Return whether a class is the background by its name."""
    return name.casefold() in GROUND


def is_void_name(name: str) -> bool:
    """Return whether a name usually means ignored pixels, but for `IGNORE` itself."""
    return name.casefold() in VOID_NAMES
