"""Anybody's answers as files: which file answers which sample, and the classes that stand in it."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.labels.tables import ColorTable, plain
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.images import read_mask
from fullconv.io.palettes import VOID, VOID_COLOR

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Files that keep every value; JPEG does not."""

_LIKE = "expected one indexed PNG a sample, named like it"


def answer_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The file of each sample's answer.

    A file belongs to the sample whose name it has, with the same folders or without any; or to the
    one whose name it begins with, where it is the only such file: "street_7_pred.png".

    Raises:
        DataError: a sample has no answer, or several.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of answers")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found = _exact(folder, files, names)
    rest = sorted((path.stem, path) for path in set(files).difference(found.values()))
    for name in names:
        if name not in found and (likely := list(_beginning(rest, PurePosixPath(name).name))):
            if len(likely) > 1:
                raise DataError(
                    f"{folder} has {len(likely)} answers for {name}, such as {likely[0].name} and "
                    f"{likely[1].name}; {_LIKE}"
                )
            found[name] = likely[0]
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{folder} has no answer for {len(missing)} of {len(names)} samples, such as "
            f"{missing[0]}.png; {_LIKE}{_lossy(folder)}"
        )
    return {name: found[name] for name in names}


@dataclass(frozen=True)
class AnswerReader:
    """Reads answers for one data set: class numbers, or the classes' colours.

    Attributes:
        data: whose classes and colours they are.
    """

    data: Data

    def __call__(self, path: Path, size: tuple[int, ...]) -> UInt8[np.ndarray, "H W"]:
        """The class of every pixel; 255 where the file gives none.

        Args:
            path: the file.
            size: (height, width) of the sample's labels.

        Raises:
            DataError: another size, or a value or colour that is no class.
            ImageError: it cannot be read.
        """
        raw = read_mask(path)
        if raw.shape[:2] != size:
            raise DataError(
                f"{path}: {raw.shape[0]} x {raw.shape[1]} pixels (height x width) for labels of "
                f"{size[0]} x {size[1]}; answers are compared at the labels' own size: "
                "write them at the photos' size"
            )
        return self._labels(raw, str(path))

    def _labels(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        classes, palette = self.data.classes, self.data.palette
        table: Callable[..., UInt8[np.ndarray, "H W"]]
        numbers = replace(
            plain(classes), remedy=f"expected the class numbers of {self.data.source}"
        )
        if raw.ndim == 2:
            table = numbers
        elif (raw == raw[..., :1]).all() and raw.max() not in range(len(classes), VOID):
            raw, table = raw[..., 0], numbers  # class numbers, three times the same
        elif len(set(palette)) < len(palette):
            raise DataError(
                f"{where}: a picture in colours, and {self.data.source} has one colour for several "
                "classes; expected pixel values that are class numbers"
            )
        else:
            mapping = {VOID_COLOR: VOID, **{color: k for k, color in enumerate(palette)}}
            remedy = f"expected class numbers, or the colours of {self.data.source}"
            table = ColorTable(classes, mapping, remedy)
        return table(raw, where)


def _exact(folder: Path, files: Sequence[Path], names: Sequence[str]) -> dict[str, Path]:
    placed = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    alone: dict[str, list[Path]] = {}
    for path in files:
        alone.setdefault(path.stem, []).append(path)
    found: dict[str, Path] = {}
    for name in names:
        same = alone.get(PurePosixPath(name).name, [])
        if name in placed:
            found[name] = placed[name]
        elif len(same) > 1:
            raise DataError(
                f"{folder} has {len(same)} answers for {name}, such as {same[0]} and {same[1]}; "
                f"{_LIKE}"
            )
        elif same:
            found[name] = same[0]
    return found


def _beginning(files: Sequence[tuple[str, Path]], name: str) -> Iterator[Path]:
    """The files whose names go on after `name` with a sign that is no letter and no number."""
    for stem, path in files[bisect_left(files, (name,)) :]:
        if not stem.startswith(name):
            return
        if not stem[len(name) :][:1].isalnum():
            yield path


def _lossy(folder: Path) -> str:
    jpegs = any(path.suffix.lower() in (".jpg", ".jpeg") for path in folder.rglob("*"))
    return " (JPEG changes the values: write PNG)" if jpegs else ""
