"""The options of `fullconv predict`, and how their texts are parsed."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.hardware import MAX_THREADS

if TYPE_CHECKING:
    from fullconv.io.rasters import BandChoice


INPUTS = (
    'Photos, GeoTIFFs, videos, folders, patterns in quotes ("new/*.jpg"), URLs, @LIST (a file with '
    "one of these per line), or manifests (.jsonl files with id and path)."
)
SAVE = (
    "Output files per photo, comma-separated: labels, overlay, probabilities, probabilities8, "
    "confidence, geojson, coco (also one coco.json), contact (contact sheets), "
    "labelstudio, cvat, cvat-masks, labelme, labelme-masks."
)

Photos = Annotated[list[str], typer.Argument(metavar="INPUT", help=INPUTS)]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Output folder or URL; an unfinished one is resumed.",
        show_default="runs/predict/MODEL-001",
    ),
]
Save = Annotated[str, typer.Option(metavar="KINDS", help=SAVE)]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for the computation, e.g. 2GiB.",
        show_default="half of the free memory",
    ),
]
Tta = Annotated[
    bool,
    typer.Option("--tta", help="Test-time augmentation: average over scales and horizontal flips."),
]
Scales = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="TTA scales, comma-separated.",
        show_default="the model's, usually 1,1.5",
    ),
]
VerifyTiles = Annotated[
    bool,
    typer.Option("--verify-tiles", help="Check tiled against whole-image prediction first."),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Predict only shard I of N, counted from 0.",
        show_default="all inputs",
    ),
]
Executor = Annotated[
    str, typer.Option(metavar="NAME", help="Where to run: local, or ray (a cluster).")
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="CPU threads per photo.",
        show_default="1 for many photos, else all cores",
        min=1,
        max=MAX_THREADS,
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Retry inputs that failed before.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start over: remove earlier predictions in --out first.")
]
Bands = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Bands of rasters: red, green and blue, or one grey band, e.g. 4,1,2.",
        show_default="as in training, else the file's own",
    ),
]
Limits = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="LOW,HIGH",
        help="Raster values that become black and white, e.g. 0,3000.",
        show_default="as in training, else 8-bit values",
    ),
]


def parse_kinds(text: str) -> tuple[str, ...]:
    """Parse --save: output kinds, each once.

    Raises:
        ConfigError: it is empty.
        UnknownNameError: there is no such output kind.
    """
    from fullconv.batch.writers import writers
    from fullconv.errors import ConfigError

    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",") if kind.strip()))
    if not kinds:
        raise ConfigError(f"--save: expected one or more of {', '.join(writers)}")
    for kind in kinds:
        _ = writers[kind]
    return kinds


def parse_shard(text: str | None, out: str | None) -> tuple[int, int]:
    """Parse --shard: "2/8" is the third of eight.

    Raises:
        ConfigError: it has another form, or --out is missing.
    """
    from fullconv.errors import ConfigError

    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    numbers = all(re.fullmatch("[0-9]{1,9}", part) for part in (index, count))
    if not (numbers and int(index) < int(count)):
        raise ConfigError(
            f"--shard {text}: expected I/N, counted from 0: the shards of 4 are 0/4 to 3/4"
        )
    if out is None:
        raise ConfigError("--shard needs --out, the same for all shards; then: fullconv merge OUT")
    return int(index), int(count)


def parse_scales(tta: bool, text: str | None, default: tuple[float, ...]) -> tuple[float, ...]:
    """Parse --tta and --scales; () turns TTA off. `default` are the model's scales.

    Raises:
        ConfigError: --scales is not a list of numbers, or is given without --tta.
    """
    from fullconv.errors import ConfigError

    if not tta:
        if text:
            raise ConfigError("--scales needs --tta; add --tta, or omit --scales")
        return ()
    if text is None:
        return default
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--scales {text}: expected numbers such as 1,1.5") from error


def parse_band_choice(bands: str | None, value_range: str | None) -> "BandChoice":
    """Parse --bands and --range.

    Raises:
        ConfigError: the bands or the range are invalid.
    """
    from fullconv.io.rasters import parse_bands

    return parse_bands(bands, value_range)
