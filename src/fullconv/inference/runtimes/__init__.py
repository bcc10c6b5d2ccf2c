"""Open exported model files and run them. Each file of this package registers one runtime.

Writing these files is the exporters' work (`fullconv.export`).
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fullconv._registry import Registry
from fullconv.errors import ConfigError, EngineError, FullconvError, WeightsError

KEY = "fullconv"  # metadata key of the description in an exported file
INPUT, OUTPUT = "image", "score"  # names of an exported graph's input and output
MODEL_SUFFIX = ".safetensors"  # our own model files, which need no runtime

Run = Callable[[Float[np.ndarray, "B 3 H W"]], Float[np.ndarray, "B K H W"]]
RunStage = Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]
"""Compute a graph: arrays by the names of its inputs -> its outputs, in their order."""


@dataclass(frozen=True)
class Opened:
    """An exported file that is ready to run.

    Attributes:
        run: images (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W); thread-safe.
        description: the file's metadata as JSON text, unchecked; None if it has none.
    """

    run: Run
    description: str | None


@dataclass(frozen=True)
class Runtime:
    """A library that runs one kind of exported file.

    Attributes:
        suffix: file suffix, e.g. ".onnx".
        title: name of the library for users.
        open: path -> Opened. Raises WeightsError for a file that it cannot run, and
            MissingExtraError if the library is not installed.
    """

    suffix: str
    title: str
    open: Callable[[Path], Opened]


runtimes: Registry[Runtime] = Registry("fullconv.inference.runtimes", "runtime")


def runtime_for(path: Path) -> Runtime:
    """Return the runtime registered for the suffix of `path`.

    Raises:
        ConfigError: no runtime has this suffix.
    """
    if found := runtimes.of_suffix(path.suffix):
        return found
    raise ConfigError(f"{path}: {unsupported(path)}")


def is_exported(path: Path) -> bool:
    """Return whether `path` has the suffix of an exported file; a folder never counts as one."""
    return runtimes.of_suffix(path.suffix) is not None and not path.is_dir()


def unsupported(path: Path) -> str:
    """Return the message that names the suffix of `path` and those that are supported."""
    known = sorted([MODEL_SUFFIX, *(runtimes[name].suffix for name in runtimes)])
    return f"unsupported format {path.suffix or '(no suffix)'}; supported: {', '.join(known)}"


def check_finite(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Check that all weights of a file are finite: others make every pixel one class.

    Raises:
        WeightsError: one is NaN or infinite.
    """
    for name, values in weights.items():
        # The sum tells without a copy of the values.
        with np.errstate(invalid="ignore"):  # infinities of both signs
            total = values.sum(dtype=np.float64) if values.dtype.kind == "f" else 0
        if not np.isfinite(total):
            raise WeightsError(
                f"{path}: {name} has values that are not finite; the training diverged, or the "
                "file is damaged: export another model"
            )


def first_line(error: Exception) -> str:
    """Return the first line of another library's error message, at most 300 characters."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


@contextmanager
def explained_crash(what: str) -> Iterator[None]:
    """Raise an EngineError in place of the exceptions of other libraries, which are of any kind.

    Args:
        what: cannot be done, as the beginning of a sentence.

    Raises:
        EngineError: what happens inside the block fails.
    """
    try:
        yield
    except (FullconvError, MemoryError):
        raise
    except Exception as error:
        raise EngineError(f"{what}: {first_line(error)}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and log messages of other libraries."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
