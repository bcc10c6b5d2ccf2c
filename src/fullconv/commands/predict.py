"""fullconv predict: the class of every pixel of new photos."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.commands._options import MODEL, Device, Json, Quiet
from fullconv.commands._show import counted, say, write_json

if TYPE_CHECKING:
    from fullconv.prediction import Prediction

KINDS = ("labels", "overlay", "probabilities")


def command(
    model: Annotated[str, typer.Argument(help=MODEL)],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the answers; default runs/predict/...")
    ] = None,
    save: Annotated[
        str, typer.Option(help="What to write: labels, overlay, probabilities; with commas.")
    ] = "labels,overlay",
    device: Device = "auto",
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Label photos: OUT/labels/NAME.png (values are classes), OUT/overlay/NAME.jpg, areas.csv."""
    from fullconv.atomic import write_text
    from fullconv.errors import ConfigError, ImageError
    from fullconv.model import load
    from fullconv.run import create
    from fullconv.training import choose_device

    kinds = [kind.strip() for kind in save.split(",") if kind.strip()]
    if not kinds or not set(kinds) <= set(KINDS):
        raise ConfigError(f"--save {save}: expected some of {', '.join(KINDS)}, with commas")
    answerer = load(model)
    found = files(photos)
    answerer.network.to(choose_device(device))
    folder = out or create(Path("runs"), "predict", Path(model).stem).folder
    answers: list[dict[str, Any]] = []
    failed: list[str] = []
    for name, path in counted(names(found).items(), len(found), "predicting", quiet):
        try:
            answer = answerer.predict(path)
        except ImageError as error:
            failed.append(str(error))
            say(f"skipped: {error}")
            continue
        write(answer, folder, name, kinds)
        answers.append({"photo": str(path), "name": name, "areas": answer.areas})
    write_text(folder / "areas.csv", areas(answers, answerer.classes))
    say(f"{len(answers)} photos, {len(failed)} failed -> {folder}/{{{','.join(kinds)}}}, areas.csv")
    write_json(json, {"folder": str(folder), "answers": answers, "failed": failed})
    if failed and not answers:
        raise typer.Exit(2)


def files(given: Sequence[Path]) -> list[Path]:
    """The photos that files and folders (with all below them) stand for, in order.

    Raises:
        ImageError: something is not there, or a folder holds no photo.
    """
    from fullconv.errors import ImageError
    from fullconv.images import SUFFIXES

    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
            )
            if not inside:
                raise ImageError(f"{path} holds no photo; expected {', '.join(SUFFIXES)}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise ImageError(f"{path}: there is no such photo or folder")
    return list(dict.fromkeys(found))


def names(paths: Sequence[Path]) -> dict[str, Path]:
    """A name for each photo's files: its stem, with its folder and suffix where stems repeat."""
    stems = Counter(path.stem for path in paths)
    named: dict[str, Path] = {}
    for path in paths:
        name = path.stem
        if stems[name] > 1:
            name = "__".join((*path.parts[-2:-1], path.name.replace(".", "_")))
        base, number = name, 2
        while name in named:
            name, number = f"{base}-{number}", number + 1
        named[name] = path
    return named


def write(answer: "Prediction", folder: Path, name: str, kinds: Sequence[str]) -> None:
    """Write one answer's files."""
    from fullconv.atomic import write_bytes
    from fullconv.images import write_image

    if "labels" in kinds:
        answer.save(folder / "labels" / f"{name}.png")
    if "overlay" in kinds:
        write_image(folder / "overlay" / f"{name}.jpg", answer.overlay())
    if "probabilities" in kinds:
        import numpy as np

        stream = io.BytesIO()
        np.save(stream, answer.probabilities.astype(np.float16))
        write_bytes(folder / "probabilities" / f"{name}.npy", stream.getvalue())


def areas(answers: Sequence[dict[str, Any]], classes: Sequence[str]) -> str:
    """Each class's share of each photo, in [0, 1], as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["photo", *classes])
    for answer in answers:
        writer.writerow([answer["photo"], *(f"{share:.6f}" for share in answer["areas"].values())])
    return stream.getvalue()
