"""Find the prediction files of other software: one indexed or colour-coded PNG per sample."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fullconv.errors import DataError

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Suffixes of lossless files; JPEG changes values."""

_EXPECTED = "one indexed PNG per sample, with the sample's name"


def find_prediction_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the prediction file of each sample.

    A file matches the sample whose name it has, in the same subfolders or in any; otherwise the
    sample whose name it starts with, if it is the only such file: "street_7_pred.png".

    Raises:
        DataError: a sample has no prediction, or several.
    """
    if not folder.is_dir():
        raise DataError("no such folder", expected="a folder of predictions", where=folder)
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
            f"no prediction for {len(missing)} of {len(names)} samples, such as {missing[0]}.png",
            expected=_EXPECTED,
            remedy=_jpeg_hint(folder),
            where=folder,
        )
    return {name: matched[name] for name in names}


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
        f"{len(candidates)} predictions for {name}, such as {candidates[0]} and {candidates[1]}",
        expected=_EXPECTED,
        remedy="remove or rename all but one",
        where=folder,
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
    return "write PNG: JPEG changes the values" if jpegs else "predict them, or name the files so"
