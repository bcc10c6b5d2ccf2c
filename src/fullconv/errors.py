"""Every error that a user can cause.

FullconvError            exit code 2: something in the command, the files or the settings
 |- ConfigError          a setting that is unknown or out of range           (also ValueError)
 |- UnknownNameError     a model, format or palette that nobody registered   (also LookupError)
 |- DataError            a data set or a file of it that cannot be used      (also ValueError)
 |   |- LabelError       a label outside the declared classes
 |   `- ImageError       a picture that cannot be read
 |- WeightsError         a weights or model file that cannot be used         (also ValueError)
 |- GeometryError        two rasters that no whole crop lines up             (also ValueError)
 |- MissingExtraError    an optional package is not installed                (also ImportError)
 |- DivergedError        exit code 3: the loss is no longer finite           (also ArithmeticError)
 |- CheckError           exit code 4: the data check found errors
 `- OutputError          exit code 74: a result could not be written         (also OSError)

A message says what was found, where, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class FullconvError(Exception):
    """What a user can cause and mend; `exit_code` is the command line's answer."""

    exit_code = 2


class ConfigError(FullconvError, ValueError):
    """A setting that is unknown or out of its range."""


class DataError(FullconvError, ValueError):
    """A data set, or a file of it, that cannot be used as it is."""


class LabelError(DataError):
    """A label outside the declared classes."""


class ImageError(DataError):
    """A picture that cannot be read."""


class WeightsError(FullconvError, ValueError):
    """A weights or model file that cannot be used."""


class GeometryError(FullconvError, ValueError):
    """Two rasters that no whole crop lines up."""


class MissingExtraError(FullconvError, ImportError):
    """An optional package that is not installed."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the package {package}, which is not installed: "
            f'pip install "fullconv[{extra}]"'
        )


class DivergedError(FullconvError, ArithmeticError):
    """Training whose loss is no longer finite."""

    exit_code = 3


class CheckError(FullconvError):
    """A data set in which the check found errors."""

    exit_code = 4


class OutputError(FullconvError, OSError):
    """A result that could not be written."""

    exit_code = 74


class UnknownNameError(FullconvError, LookupError):
    """A name that nobody registered; the message lists the known ones."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(f"no {noun} is called {name!r}; {hint}there are: {', '.join(names)}")
