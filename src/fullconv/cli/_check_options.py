"""The options of `fullconv check`."""

from pathlib import Path
from typing import Annotated

import typer

Split = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Check only train, val or test.", show_default="all splits"),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Advise for fullconv train --size HxW.",
        show_default="the scale that training chooses",
    ),
]
WriteClasses = Annotated[
    bool,
    typer.Option(
        "--write-classes",
        help="Write the values or colours of the masks to classes.txt in the data set, with names "
        "to be edited. An existing list of classes is never changed.",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Ignore findings by code, file or CODE:FILE; repeatable.",
        show_default="none",
    ),
]
WriteConfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write recommended settings, for fullconv train --config FILE.",
        show_default="none",
    ),
]
Augment = Annotated[
    int, typer.Option(metavar="N", min=0, help="Draw N images as augmentation changes them.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Training settings (YAML) for --augment.",
        show_default="those of fullconv train",
    ),
]
Accept = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write corrected copies of the masks instead: DIR is the suspects.labelme of fullconv "
        "evaluate --suspects, after review; the shapes left in it are accepted.",
        show_default="none",
    ),
]
