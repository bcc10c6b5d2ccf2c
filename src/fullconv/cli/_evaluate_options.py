"""The options of `fullconv evaluate`, and how the data set is found."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._options import DATA

Dataset = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA", help=DATA, show_default="the run's; MODEL itself, with --predictions"
    ),
]
Split = Annotated[str, typer.Option(metavar="NAME", help="Split: train, val, test, or all.")]
Predictions = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Score the indexed PNGs in this folder instead of a model: fullconv evaluate DATA "
        "--predictions DIR.",
        show_default="none",
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="Also report metrics by group, and resample whole groups for confidence intervals; "
        "a rule as for --group-by. The split stays as it is.",
        show_default="that of --group-by",
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Also explain where mean IoU is lost: boundaries, kinds of errors, repairs in points "
        "of mean IoU, calibration.",
    ),
]
Report = Annotated[bool, typer.Option("--report", help="Also write an HTML report.")]


def choose_source(model: str, data: str | None, predictions: Path | None) -> str:
    """Return the data set: DATA, else that of the run; with --predictions, MODEL names it.

    Raises:
        ConfigError: no data set is given, and MODEL is not of a run.
    """
    from fullconv.errors import ConfigError
    from fullconv.training.run.folder import Run

    if data or predictions:
        return data or model
    folder = Path(model)
    run = Run(folder if folder.is_dir() else folder.parent)
    trained_on = run.read_config().get("data") if run.config.is_file() else None
    if not isinstance(trained_on, str):
        raise ConfigError(
            "no data set is given, and MODEL is not a run folder, which would name it; expected: "
            "fullconv evaluate MODEL DATA"
        )
    return trained_on
