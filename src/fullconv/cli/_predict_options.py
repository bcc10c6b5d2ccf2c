"""What `fullconv predict` can be told, and what it means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fullconv.batch.worker import Reading


INPUTS = (
    'Photos, GeoTIFFs, videos, folders of them, patterns ("new/*.jpg"), URLs, @LIST (a file of '
    "them, one a line), or manifests (.jsonl with id and path)."
)
SAVE = (
    "What to write of each photo: labels, overlay, probabilities, probabilities8, confidence, "
    "geojson, coco (also one coco.json of all), contact (contact sheets of all); with commas."
)

Photos = Annotated[list[str], typer.Argument(metavar="INPUT...", help=INPUTS)]
Out = Annotated[
    str | None,
    typer.Option(
        "--out", help="Folder or URL for the answers, begun or new; default runs/predict/..."
    ),
]
Save = Annotated[str, typer.Option(help=SAVE)]
Memory = Annotated[
    str | None, typer.Option(help="For the computation, e.g. 2GiB; default half of what is free.")
]
Tta = Annotated[
    bool, typer.Option("--tta", help="Average the answers at several scales, and mirrored.")
]
Scales = Annotated[str | None, typer.Option(help="Of --tta, with commas; default 0.75,1,1.25.")]
VerifyTiles = Annotated[
    bool, typer.Option("--verify-tiles", help="Compare answers in parts with the whole's, first.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Do only part I of N, from 0: one machine's share."),
]
Engine = Annotated[str, typer.Option(help="Who works: local, or ray (a cluster).")]
Threads = Annotated[
    int | None,
    typer.Option(
        help="Of the CPU, for each photo. Default: all; 1 where many are answered side by side.",
        min=1,
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Remove the former answers in --out first.")]
Bands = Annotated[
    str | None, typer.Option(help="Of rasters: red, green and blue, or grey; e.g. 4,1,2.")
]
Limits = Annotated[
    str | None,
    typer.Option("--range", help="Of rasters: the values of black and white, e.g. 0,3000."),
]


def kinds_of(text: str) -> tuple[str, ...]:
    """The kinds of files that --save names.

    Raises:
        ConfigError: it names none.
        UnknownNameError: it names one that nobody knows.
    """
    from fullconv.batch.writers import writers
    from fullconv.errors import ConfigError

    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",") if kind.strip()))
    if not kinds:
        raise ConfigError(f"--save: expected some of {', '.join(writers)}, with commas")
    for kind in kinds:
        _ = writers[kind]
    return kinds


def shard_of(text: str | None, out: str | None) -> tuple[int, int]:
    """The part that --shard names: "2/8" is the third of eight.

    Raises:
        ConfigError: it is not of this form, or the parts would not find together.
    """
    from fullconv.errors import ConfigError

    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ConfigError(
            f"--shard {text}: expected part/parts, counted from 0: the parts of 4 are 0/4 to 3/4"
        )
    if out is None:
        raise ConfigError("--shard needs --out, the same for all parts; then: fullconv merge OUT")
    return int(index), int(count)


def scales_of(tta: bool, text: str | None) -> tuple[float, ...]:
    """The scales that answers are averaged over; () is not at all.

    Raises:
        ConfigError: --scales is no list of numbers, or stands without --tta.
    """
    from fullconv.errors import ConfigError
    from fullconv.inference.tta import SCALES

    if not tta:
        if text:
            raise ConfigError("--scales belongs to --tta; give both, or neither")
        return ()
    return SCALES if text is None else _numbers(text)


def _numbers(text: str) -> tuple[float, ...]:
    from fullconv.errors import ConfigError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--scales {text}: expected numbers such as 0.75,1,1.25") from error


def reading_of(model: str, bands: str | None, limits: str | None) -> "Reading":
    """How rasters are read: as is said, or else as the model's training did, if its run tells.

    Raises:
        ConfigError: the bands or the range cannot be meant.
    """
    from fullconv.batch.worker import Reading
    from fullconv.io.rasters import parse_bands, parse_range

    trained = _trained(model)
    return Reading(
        parse_bands(bands) if bands else trained.bands,
        parse_range(limits) if limits else trained.limits,
    )


def _trained(model: str) -> "Reading":
    from fullconv.batch.worker import Reading
    from fullconv.data.formats.rasters import read_choice
    from fullconv.errors import FullconvError
    from fullconv.model import model_file
    from fullconv.training.run.folder import Run

    try:
        data = str(Run(model_file(Path(model)).parent).read_config().get("data", ""))
        if not data.startswith("rasters:"):
            return Reading()
        choice = read_choice(data.partition("?")[2])
    except (FullconvError, OSError):
        return Reading()
    return Reading(choice.bands, choice.limits)
