"""fullconv predict: the class of every pixel of new photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.commands._answering import as_json, follow
from fullconv.commands._options import MODEL, Device, Json, Quiet
from fullconv.commands._rasters import Reading, answer_rasters, is_raster
from fullconv.commands._show import say, write_json
from fullconv.commands._videos import answer_videos, is_video

if TYPE_CHECKING:
    from fullconv.inputs import Input
    from fullconv.manifest import Record
    from fullconv.model import Model
    from fullconv.prediction import Prediction

PHOTOS = (
    'Photos, folders of photos, patterns ("new/*.jpg"), URLs, @LIST (a file of them, one a line), '
    "or manifests (.jsonl with id and path)."
)
SAVE = (
    "What to write: labels, overlay, probabilities, probabilities8, confidence, geojson, coco; "
    "with commas."
)


def command(
    model: Annotated[str, typer.Argument(help=MODEL)],
    photos: Annotated[list[str], typer.Argument(help=PHOTOS)],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", help="Folder or URL for the answers, begun or new; default runs/predict/..."
        ),
    ] = None,
    save: Annotated[str, typer.Option(help=SAVE)] = "labels,overlay",
    memory: Annotated[
        str | None,
        typer.Option(help="For the computation, e.g. 2GiB; default half of what is free."),
    ] = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average the answers at several scales, and mirrored.")
    ] = False,
    scales: Annotated[
        str | None, typer.Option(help="Of --tta, with commas; default 0.75,1,1.25.")
    ] = None,
    verify_tiles: Annotated[
        bool,
        typer.Option("--verify-tiles", help="Compare answers in parts with the whole's, first."),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Do only part I of N, from 0: one machine's share."),
    ] = None,
    engine: Annotated[str, typer.Option(help="Who works: local, or ray (a cluster).")] = "local",
    threads: Annotated[
        int | None,
        typer.Option(help="Of one photo; with fewer than cores, several at once.", min=1),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove the former answers in --out first.")
    ] = False,
    bands: Annotated[
        str | None, typer.Option(help="Of rasters: red, green and blue, or grey; e.g. 4,1,2.")
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option("--range", help="Of rasters: the values of black and white, e.g. 0,3000."),
    ] = None,
    device: Device = "auto",
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Label photos: OUT/labels/NAME.png (values are classes), OUT/overlay/NAME.jpg, areas.csv.

    The same command goes on where it was stopped or killed, and does nothing twice.
    """
    from fullconv.answering import work_of
    from fullconv.averaging import SCALES
    from fullconv.bulk import plan
    from fullconv.errors import ConfigError
    from fullconv.exported import open_model
    from fullconv.inputs import gather
    from fullconv.naming import named, share
    from fullconv.run import create
    from fullconv.training import choose_device

    kinds = kinds_of(save)
    part = shard_of(shard)
    if part != (0, 1) and out is None:
        raise ConfigError("--shard needs --out, the same for all parts; then: fullconv merge OUT")
    if scales and not tta:
        raise ConfigError("--scales belongs to --tta; give both, or neither")
    opened = open_model(model)
    inputs = gather(photos, outside=out)
    videos = [item for item in inputs if is_video(item)]
    reading = Reading(bands, limits)
    rasters = [item for item in inputs if item not in videos and is_raster(item, reading)]
    others = {*videos, *rasters}
    pictures = [item for item in inputs if item not in others]
    if rasters and (tta or engine != "local"):
        raise ConfigError("rasters are answered here and once: leave --tta and --engine out")
    where = out or str(create(Path("runs"), "predict", Path(model).stem).folder)
    work = work_of(
        opened,
        model,
        pictures,
        out=where,
        kinds=kinds,
        shard=part,
        device=str(choose_device(device)),
        threads=threads,
        memory=memory,
        scales=numbers_of(scales, SCALES) if tta else (),
    )
    if verify_tiles and (pictures or not rasters):
        verify(opened, pictures, memory)
    records: dict[str, Record] = {}
    if pictures:
        todo = plan(work, pictures, engine=engine, retry_failed=retry_failed, fresh=fresh)
        records = follow(todo, quiet)
    movies = answer_videos(videos, work, fresh, quiet)
    mine = share(named(rasters), part)
    fields = answer_rasters(
        opened, model, mine, where, kinds, reading, memory, fresh, quiet, verify_tiles
    )
    write_json(json, {"folder": where, **as_json(records), "videos": movies, "rasters": fields})
    if records and all(hasattr(record, "error") for record in records.values()):
        raise typer.Exit(2)


def verify(model: "Model", photos: "Sequence[Input]", memory: str | None) -> None:
    """Say how far an answer in parts is from the whole's, on the first photo.

    Raises:
        ConfigError: there is no photo, or the model is an exported file.
    """
    from fullconv.errors import ConfigError
    from fullconv.exported import Exported
    from fullconv.images import read_image, scale_image
    from fullconv.prediction import fitted
    from fullconv.storage import local_path
    from fullconv.tiling import verify as compare

    path = next((local_path(item.where) for item in photos), None)
    if path is None:
        raise ConfigError("--verify-tiles needs a photo that is a file of this machine")
    if isinstance(model, Exported):
        raise ConfigError("--verify-tiles needs a model as it was trained, not an exported file")
    image = read_image(path)
    height, width = image.shape[:2]
    shown = scale_image(image, fitted((height, width), model.size))
    say(f"{path}: {compare(model.network, shown, memory)}")


def kinds_of(text: str) -> tuple[str, ...]:
    """The kinds of files that --save names.

    Raises:
        ConfigError: it names none, or one that nobody knows.
    """
    from fullconv.errors import ConfigError
    from fullconv.writers import writers

    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",") if kind.strip()))
    if not kinds or not set(kinds) <= set(writers):
        raise ConfigError(f"--save {text}: expected some of {', '.join(writers)}, with commas")
    return kinds


def shard_of(text: str | None) -> tuple[int, int]:
    """The part that --shard names: "2/8" is the third of eight.

    Raises:
        ConfigError: it is not of this form.
    """
    from fullconv.errors import ConfigError

    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ConfigError(
            f"--shard {text}: expected part/parts, counted from 0: the parts of 4 are 0/4 to 3/4"
        )
    return int(index), int(count)


def numbers_of(text: str | None, default: Sequence[float]) -> tuple[float, ...]:
    """Numbers with commas between them.

    Raises:
        ConfigError: it is something else.
    """
    from fullconv.errors import ConfigError

    if text is None:
        return tuple(default)
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--scales {text}: expected numbers such as 0.75,1,1.25") from error


def write(answer: "Prediction", folder: Path, name: str, kinds: Sequence[str]) -> None:
    """Write one answer's files."""
    from fullconv.answering import file_name
    from fullconv.atomic import write_bytes
    from fullconv.writers import writers

    for kind in kinds:
        write_bytes(folder / file_name(kind, name), writers[kind].encode(answer))
