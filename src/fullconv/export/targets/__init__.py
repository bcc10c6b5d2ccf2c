"""Write a model for a program: one file per program, registered here by its name.

`fullconv export MODEL PATH --for NAME` writes the files that the program expects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv._registry import Registry
from fullconv.config import Size
from fullconv.inference.runtimes.description import Parity
from fullconv.model import Model

Photos = Sequence[UInt8[np.ndarray, "_ _ 3"]]


@dataclass(frozen=True)
class Wanted:
    """What is to be written.

    Attributes:
        model: of a network from `create_model`.
        source: the run folder or model file that it was loaded from.
        path: the file or folder to write.
        photos: images to compare scores on, at three or more odd sizes.
        size: the only (height, width) that the exported graph supports; None for any size.
        head: name of the model's head, if it is one of several in `source`.
    """

    model: Model
    source: Path
    path: Path
    photos: Photos
    size: Size | None = None
    head: str | None = None


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        parity: how far the exported graph's scores are from the network's; None without a graph.
        notes: sentences for the user.
    """

    parity: Parity | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A program that models are written for.

    Attributes:
        summary: what is written, in one line.
        check: raises ConfigError for a path or size that cannot be written, before the work.
        write: writes the files.
    """

    summary: str
    check: Callable[[Path, Size | None], None]
    write: Callable[[Wanted], Written]


targets: Registry[Target] = Registry("fullconv.export.targets", "target of an export")
