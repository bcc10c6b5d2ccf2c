"""The errors that a user can cause.

FullconvError            exit code 2: something in the command, the files or the settings
 |- ConfigError          a setting that is unknown or out of range           (also ValueError)
 |- UnknownNameError     a model, format or palette that is not registered   (also LookupError)
 |- DataError            a data set or a file of it that cannot be used      (also ValueError)
 |   |- NoSplitError     a split, such as val, that the data set does not have
 |   |- LabelError       a label outside the declared classes
 |   `- ImageError       an image that cannot be read
 |- WeightsError         a weights or model file that cannot be used         (also ValueError)
 |- ExportError          an exported file whose scores differ from the network's
 |- EngineError          an engine that does not start, or crashes during a benchmark
 |- GeometryError        two feature maps that no integer crop aligns             (also ValueError)
 |- MissingExtraError    an optional package is not installed                (also ImportError)
 |- DivergedError        exit code 3: the loss is no longer finite           (also ArithmeticError)
 |- CheckError           exit code 4: the data check found errors
 `- OutputError          exit code 74: a result could not be written         (also OSError)

A message says what was found, where, what was expected, and what to do.
"""

import errno
import os
import re
import sys
from collections.abc import Iterable
from copy import copy
from difflib import get_close_matches
from importlib import import_module
from typing import Any

# Characters that move a terminal's cursor, or change the order or the direction of the others.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""Return text in one line that a terminal only displays: other characters as \x1b or \u202e.

    Names of files and classes may hold escape sequences, line breaks, or bytes that are not UTF-8.
    """
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


class FullconvError(Exception):
    """An error that a user can cause and fix; `exit_code` is the exit code of the command."""

    exit_code = 2


class ConfigError(FullconvError, ValueError):
    """A setting that is unknown or out of its range."""


class MemoryBudgetError(ConfigError):
    """A computation that takes more memory than it may."""


class DataError(FullconvError, ValueError):
    """A data set, or a file of it, that cannot be used as it is.

    `str()` joins the parts into one sentence: "WHERE: FOUND; expected EXPECTED: REMEDY".

    Attributes:
        found: what is wrong.
        expected: what should be there instead; "" if that is obvious.
        remedy: what the user can do; "" if there is nothing special to do.
        where: the file, and the place in it; "" if `found` names it.
        code: the kind of problem, for programs ("too-large"); "" for any other.
    """

    code = ""

    def __init__(
        self,
        found: str,
        expected: str = "",
        remedy: str = "",
        *,
        where: object = "",
        code: str = "",
    ) -> None:
        super().__init__(found, expected, remedy)
        self.found, self.expected, self.remedy = found, expected, remedy
        self.where = str(where)
        if code:
            self.code = code

    @property
    def problem(self) -> str:
        """Where it is and what was found, without what was expected and the remedy."""
        return f"{self.where}: {self.found}" if self.where else self.found

    def at(self, where: object, remedy: str = "") -> "DataError":
        """Return the same error, located in `where`, with a remedy if it has none."""
        moved = copy(self)
        moved.where = f"{where}: {self.where}" if self.where else str(where)
        moved.remedy = self.remedy or remedy
        return moved

    def __str__(self) -> str:
        text = self.problem
        if self.expected:
            text += f"; expected {self.expected}"
        if self.remedy:
            text += f"{': ' if self.expected else '; '}{self.remedy}"
        return printable(text)

    def __reduce__(self) -> tuple[object, ...]:
        # Subclasses take other arguments, so unpickling must not call their __init__.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(
    kind: type[DataError], args: tuple[object, ...], state: dict[str, object]
) -> DataError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class NoSplitError(DataError):
    """A split that the data set does not have; a broken one is another DataError."""

    code = "no-split"

    def __init__(self, where: object, split: str, known: Iterable[str], how: str = "") -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"{where} has no split {split!r}", remedy=f"there are: {names}{how}")


class LabelError(DataError):
    """A label outside the declared classes."""

    code = "value-outside"


class ImageError(DataError):
    """An image that cannot be read."""


class WeightsError(FullconvError, ValueError):
    """A weights or model file that cannot be used."""


class ExportError(FullconvError):
    """A network that cannot be exported, or a file whose scores differ from the network's."""


class EngineError(FullconvError):
    """An engine that could not be started, or crashed during a call."""


class GeometryError(FullconvError, ValueError):
    """Two feature maps that no integer crop aligns."""


class MissingExtraError(FullconvError, ImportError):
    """An optional package that is not installed."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        missing = f'"fullconv[{extra}]"' if extra else "--upgrade fullconv"
        super().__init__(
            f"{what} needs the package {package}, which is not installed: pip install {missing}"
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
    """A name that is not registered; the message lists the known ones, and the most similar one.

    Args:
        noun: what was asked for, e.g. "loss".
        name: that was asked for.
        known: names that exist.
        expected: what to use, if a list of the known names would be too long.
        suggestion: the name that was probably meant; by default the most similar known one.
    """

    def __init__(
        self,
        noun: str,
        name: str,
        known: Iterable[str] = (),
        *,
        expected: str = "",
        suggestion: str | None = None,
    ) -> None:
        names = sorted(known)
        close = [suggestion] if suggestion else get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        listed = expected or ", ".join(names) or "none, for there is none"
        super().__init__(f"unknown {noun} {name!r}; expected {listed}{hint}")


_REASONS = {
    errno.ENOENT: ("there is no such file or folder", "check the path"),
    errno.EACCES: ("no permission", "change the permissions, or choose another path"),
    errno.EPERM: ("no permission", "change the permissions, or choose another path"),
    errno.EROFS: ("the file system is read-only", "choose another path"),
    errno.EISDIR: ("it is a folder; expected a file", "give the path of a file"),
    errno.ENOTDIR: ("it is below a file; expected a folder", "check the path"),
    errno.EEXIST: ("it exists already", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.ELOOP: ("it is a link that leads to itself, or to no file of its own", "remove the link"),
    errno.ENOSPC: ("the disk is full", "free some space and run the command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the command again"),
    errno.EFBIG: ("it exceeds the limit of file sizes", "raise the limit (see `ulimit -f`)"),
    errno.EMFILE: ("too many files are open", "raise the limit (see `ulimit -n`)"),
    errno.ENXIO: ("it is a pipe or a device; expected a file", "give the path of a file"),
}


def explain_os_error(error: OSError) -> str:
    """Return a sentence about a file that cannot be opened, read or written."""
    found, remedy = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{where}{found}" + (f"; {remedy}" if remedy else "")


def check_type(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Check the type of an argument that is often mistaken, such as a path for a model.

    Args:
        name: of the argument.
        value: that was given.
        kinds: types that it may have.
        expected: what to give, and how to get it, e.g. 'a data set: fc.open_data("photos")'.

    Raises:
        ConfigError: it has another type.
    """
    if not isinstance(value, kinds):
        raise ConfigError(f"{name} is of the type {type(value).__name__}; expected {expected}")


def require(module: str, *, extra: str, what: str) -> Any:
    """Import an optional package and return the module.

    Args:
        module: its name, e.g. "rasterio" or "onnx.helper".
        extra: the extra of this project that installs it; "" for what always comes with it.
        what: needs the package, e.g. "reading a.tif"; begins the message.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        missing = module if sys.modules.get(package) else package  # a part, such as ray.serve
        raise MissingExtraError(missing, extra, what) from error
