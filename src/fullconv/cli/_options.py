"""Arguments and options that several commands share, and how their texts are parsed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fullconv.cli._console import keep_stdout_for_json, say_error
from fullconv.errors import ConfigError

DATA = (
    "Data set: a folder of images and masks, FORMAT:PATH, samples:nuclei (included photos) or "
    "scenes:N (drawn scenes)."
)
MODEL = (
    "Model: a run folder (its best checkpoint), a .safetensors file, an exported file, or the name "
    "of a bundled model (fullconv models)."
)

MAX_CLASSES = 100_000  # of a classifier; ImageNet has up to 21,843

# Of a network that is given by its name. None is not given; `find_architecture` has the defaults.
Padding = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS",
        help="Zeros around the image: 'same', or a number of pixels (100 in the paper).",
        show_default="same",
    ),
]
Width = Annotated[
    float | None,
    typer.Option(metavar="FACTOR", help="Channel multiplier of the backbone.", show_default="1.0"),
]
Hidden = Annotated[
    int | None,
    typer.Option(metavar="N", help="Channels of fc6 and fc7.", show_default="4096 times the width"),
]
Upsampling = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="Upsampling: transposed, bilinear, bilinear-corners or unpooling.",
        show_default="bilinear with padding same",
    ),
]
Fusing = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="How skip scores are combined: cascade (paper) or sum.",
        show_default="cascade",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder that run folders are created in.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the result.")]
Json = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Also write the result as JSON; - is standard output (messages then go to standard "
        "error).",
        show_default="none",
        callback=keep_stdout_for_json,
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="Device: auto, cpu, cuda, cuda:1 or mps.")
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="What computes the network on a CPU: torch, onnx, openvino; auto is the fastest here, "
        "proved equal.",
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="One of several heads of the model, with its classes.",
        show_default="all of them",
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group-by",
        metavar="RULE",
        help="Split into train and val by groups: clip, patient, tile, folder, or a regular "
        "expression that is searched for in the names.",
        show_default="the data set's own split",
    ),
]


def say_taken(models: Any) -> Any:
    """Say on standard error which model is taken, where the name is that of a bundled one.

    Args:
        models: of one argument, a text or several; returned as they are.
    """
    from fullconv.inference.shelf import taken_note

    for model in [models] if isinstance(models, str) else models or []:
        if note := taken_note(model.rpartition("=")[2]):
            say_error(f"model  {note}")
    return models


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """Parse height x width: "480x640" is (480, 640).

    Args:
        text: the size; None is returned as is.
        option: its name, for the message.

    Raises:
        ConfigError: the text has another form.
    """
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (_is_number(height) and _is_number(width) and int(height) and int(width)):
        raise ConfigError(
            f"{option} {text[:60]}: expected height x width in pixels, such as 480x640"
        )
    return int(height), int(width)


def parse_padding(text: str) -> str | int:
    """Parse "same" or a number of pixels.

    Raises:
        ConfigError: the text is neither.
    """
    if text == "same":
        return text
    if not _is_number(text):
        raise ConfigError(
            f"--padding {text[:60]}: expected 'same' or a number of pixels, such as 100"
        )
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 9
