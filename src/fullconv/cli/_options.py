"""Words that mean the same in every command, as types of the command line."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.errors import ConfigError

DATA = "A folder of photos and masks, FORMAT:PATH, or scenes:N."
MODEL = "A run folder (its best model), a .safetensors model file, or an exported file."
UPSAMPLING = "transposed, bilinear, bilinear-corners or unpooling."
FUSING = "cascade: enlarge to the next skip, add, go on; sum: each to the image, add there."

Out = Annotated[Path, typer.Option("--out", help="Folder that run folders go under.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the result.")]
Json = Annotated[
    Path | None, typer.Option("--json", help="Also write the result here; - is standard output.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group-by",
        metavar="RULE",
        help="Divide train and val anew, keeping together: clip, patient, tile, folder, or what a "
        "regular expression finds in the names.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option("--size", metavar="HxW", help="Scale photos down to fit, e.g. 480x640."),
]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """A size written as height x width: "480x640" is (480, 640).

    Raises:
        ConfigError: it is not of this form.
    """
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise ConfigError(f"--size {text}: expected height x width in pixels, such as 480x640")
    return int(height), int(width)


def parse_padding(text: str) -> str | int:
    """The word "same", or a number of pixels.

    Raises:
        ConfigError: it is neither.
    """
    if text == "same":
        return text
    if not text.isdecimal():
        raise ConfigError(f"--padding {text}: expected 'same' or a number of pixels, such as 100")
    return int(text)
