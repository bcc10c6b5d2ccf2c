"""Find and read prediction files of other software: one indexed or colour-coded PNG per sample."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.labels.tables import ColorTable, identity_table
from fullconv.data.sample import Data
from fullconv.errors import DataError
from fullconv.io.images import read_mask
from fullconv.io.palettes import VOID, VOID_COLOR

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Suffixes of lossless files; JPEG changes values."""

_EXPECTED = "expected one indexed PNG per sample, with the sample's name"


def find_prediction_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the prediction file of each sample.

    A file matches the sample whose name it has, in the same subfolders or in any; otherwise the
    sample whose name it starts with, if it is the only such file: "street_7_pred.png".

    Raises:
        DataError: a sample has no prediction, or several.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected a folder of predictions")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    matched = _match_names(folder, files, names)
    rest = sorted((path.stem, path) for path in set(files).difference(matched.values()))
    for name in names:
        if name in matched:
            continue
        candidates = list(_starting_with(rest, PurePosixPath(name).name))
        if len(candidates) > 1:
            raise _ambiguous(folder, name, [path.name for path in candidates])
        if candidates:
            matched[name] = candidates[0]
    missing = [name for name in names if name not in matched]
    if missing:
        raise DataError(
            f"{folder} has no prediction for {len(missing)} of {len(names)} samples, such as "
            f"{missing[0]}.png; {_EXPECTED}{_jpeg_hint(folder)}"
        )
    return {name: matched[name] for name in names}


@dataclass(frozen=True)
class PredictionReader:
    """Reads the predictions of one data set, stored as class numbers or in the classes' colours."""

    data: Data

    def __call__(self, path: Path, size: tuple[int, ...]) -> UInt8[np.ndarray, "H W"]:
        """Read the predicted class of every pixel; 255 for a pixel without one.

        Args:
            path: the prediction file.
            size: (height, width) of the sample's labels.

        Raises:
            DataError: the size differs, or a value or colour is not a class.
            ImageError: the file cannot be read.
        """
        raw = read_mask(path)
        if raw.shape[:2] != size:
            raise DataError(
                f"{path}: {raw.shape[0]} x {raw.shape[1]} pixels (height x width), the labels have "
                f"{size[0]} x {size[1]}; predictions are compared at the labels' own size: "
                "write them at the size of the photos"
            )
        return self._labels(raw, str(path))

    def _labels(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        classes, palette = self.data.classes, self.data.palette
        table: Callable[..., UInt8[np.ndarray, "H W"]]
        numbers = replace(
            identity_table(classes), remedy=f"expected the class numbers of {self.data.source}"
        )
        if raw.ndim == 2:
            table = numbers
        elif (raw == raw[..., :1]).all() and raw.max() not in range(len(classes), VOID):
            raw, table = raw[..., 0], numbers  # class numbers, repeated in three channels
        elif len(set(palette)) < len(palette):
            raise DataError(
                f"{where}: a colour image, but several classes of {self.data.source} share a "
                "colour; expected pixel values that are class numbers"
            )
        else:
            mapping = {VOID_COLOR: VOID, **{color: k for k, color in enumerate(palette)}}
            remedy = f"expected class numbers, or the colours of {self.data.source}"
            table = ColorTable(classes, mapping, remedy)
        return table(raw, where)


def _match_names(folder: Path, files: Sequence[Path], names: Sequence[str]) -> dict[str, Path]:
    """Match samples to files of the same name, preferring the same subfolder."""
    by_path = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        by_stem.setdefault(path.stem, []).append(path)
    matched: dict[str, Path] = {}
    for name in names:
        candidates = by_stem.get(PurePosixPath(name).name, [])
        if name in by_path:
            matched[name] = by_path[name]
        elif len(candidates) > 1:
            raise _ambiguous(folder, name, candidates)
        elif candidates:
            matched[name] = candidates[0]
    return matched


def _ambiguous(folder: Path, name: str, candidates: Sequence[Path | str]) -> DataError:
    return DataError(
        f"{folder} has {len(candidates)} predictions for {name}, such as {candidates[0]} and "
        f"{candidates[1]}; {_EXPECTED}"
    )


def _starting_with(files: Sequence[tuple[str, Path]], name: str) -> Iterator[Path]:
    """Yield the files whose stem is `name` followed by neither a letter nor a digit."""
    for stem, path in files[bisect_left(files, (name,)) :]:
        if not stem.startswith(name):
            return
        if not stem[len(name) :][:1].isalnum():
            yield path


def _jpeg_hint(folder: Path) -> str:
    jpegs = any(path.suffix.lower() in (".jpg", ".jpeg") for path in folder.rglob("*"))
    return " (JPEG changes the values: write PNG)" if jpegs else ""
