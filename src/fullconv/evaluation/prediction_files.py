"""Find the prediction files of other software: one indexed or colour-coded PNG per sample."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fullconv.data.discovery.files import FOLDER_MARK
from fullconv.data.sample import clean_name
from fullconv.errors import DataError
from fullconv.io.visible import visible

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Suffixes of lossless files; JPEG changes values."""

_EXPECTED = "one indexed PNG per sample, with the sample's name"


def find_prediction_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the prediction file of each sample.

    The name of a sample in a subfolder has both: "x__a" is a of x. Its file is x/a.png; or x__a.png
    in any subfolder; or a.png in any, if no other sample is an a. Otherwise it is the only file
    whose name starts so: "street_7_pred.png".

    Raises:
        DataError: a sample has no prediction, or several.
    """
    if not folder.is_dir():
        raise DataError("no such folder", expected="a folder of predictions", where=folder)
    files = sorted(
        path for path in visible(folder, "**/*", results=True) if path.suffix.lower() in SUFFIXES
    )
    endings = _endings(names)
    matched = _match_names(folder, files, endings)
    rest = sorted(_known_as(folder, set(files).difference(matched.values())))
    for name in names:
        if name in matched:
            continue
        found = (_starting_with(rest, ending) for ending in endings[name])
        candidates = next(filter(None, found), [])
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


def _endings(names: Sequence[str]) -> dict[str, list[str]]:
    """Return each name, then without its folders, one after another, as far as it is the only one.

    "x__a" -> "x__a", "a".
    """
    every = {name: [*_parts(name.replace("/", FOLDER_MARK))] for name in names}
    count = Counter(ending for endings in every.values() for ending in endings)
    return {
        name: [endings[0], *(ending for ending in endings[1:] if count[ending] == 1)]
        for name, endings in every.items()
    }


def _parts(name: str) -> Iterator[str]:
    yield name
    while FOLDER_MARK in name:
        name = name.partition(FOLDER_MARK)[2]
        yield name


def _match_names(
    folder: Path, files: Sequence[Path], endings: Mapping[str, Sequence[str]]
) -> dict[str, Path]:
    """Match samples to files of the same name, preferring the same subfolder."""
    by_path: dict[str, list[Path]] = {}
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        inside = path.relative_to(folder).with_suffix("")
        by_path.setdefault(clean_name(FOLDER_MARK.join(inside.parts)), []).append(path)
        by_stem.setdefault(path.stem, []).append(path)
    matched: dict[str, Path] = {}
    for name, possible in endings.items():
        found = (by_path.get(possible[0]), *(by_stem.get(ending) for ending in possible))
        candidates = next(filter(None, found), [])
        if len(candidates) > 1:
            raise _ambiguous(folder, name, candidates)
        if candidates:
            matched[name] = candidates[0]
    return matched


def _ambiguous(folder: Path, name: str, candidates: Sequence[Path | str]) -> DataError:
    return DataError(
        f"{len(candidates)} predictions for {name}, such as {candidates[0]} and {candidates[1]}",
        expected=_EXPECTED,
        remedy="remove or rename all but one",
        where=folder,
    )


def _known_as(folder: Path, files: Iterable[Path]) -> Iterator[tuple[str, int, Path]]:
    """Yield each file by its name, and with its folders before it, whose length comes second."""
    for path in files:
        yield path.stem, 0, path
        if inside := path.relative_to(folder).parent.parts:
            folders = clean_name(FOLDER_MARK.join((*inside, "")))
            yield f"{folders}{path.stem}", len(folders), path


def _starting_with(files: Sequence[tuple[str, int, Path]], name: str) -> list[Path]:
    """Return the files that are known as `name` followed by neither a letter nor a digit."""
    found: dict[Path, None] = {}
    for known_as, folders, path in files[bisect_left(files, (name,)) :]:
        if not known_as.startswith(name):
            break
        if len(name) > folders and not known_as[len(name) :][:1].isalnum():
            found[path] = None
    return [*found]


def _jpeg_hint(folder: Path) -> str:
    jpegs = any(
        path.suffix.lower() in (".jpg", ".jpeg") for path in visible(folder, "**/*", results=True)
    )
    return "write PNG: JPEG changes the values" if jpegs else "predict them, or name the files so"
