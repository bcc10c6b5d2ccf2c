"""The options of `fullconv evaluate` and `compare`, and how models and data sets are found."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._options import DATA
from fullconv.io.commands import pasted

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.model import Model

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
        "of mean IoU, calibration; and write an HTML report with pictures.",
    ),
]
Suspects = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Also write the N most suspicious labels: a table, pictures, LabelMe and COCO files.",
    ),
]
Report = Annotated[
    bool, typer.Option("--report", help="Also write the HTML report without --explain.")
]


def check_options(
    predictions: Path | None, model: str, data: str | None, given: Mapping[str, bool]
) -> None:
    """Refuse what has no meaning for predictions in files.

    Args:
        predictions: their folder; None for a model, which has all options.
        model: MODEL.
        data: DATA.
        given: the options that need a model, and whether each is given.

    Raises:
        ConfigError: there is something.
    """
    from fullconv.errors import ConfigError

    if predictions is None:
        return
    if option := next((name for name, there in given.items() if there), None):
        raise ConfigError(
            f"{option} needs a model; the predictions of --predictions are finished and have no "
            f"probabilities: omit {option}, or evaluate the model"
        )
    if data is not None:
        raise ConfigError(
            f"{model} and the data set {data} beside --predictions, which need no model; "
            f"expected: {pasted('fullconv', 'evaluate', data, '--predictions', predictions)}"
        )


def choose_head(data: "Data", head: str | None, predictions: bool) -> "Data":
    """Return the data set with the labels of the head that a user named.

    Labels of one head are those of any head of a model, but predictions are of one.

    Raises:
        UnknownNameError: there is no such head.
        ConfigError: the labels are of one head, and so are the predictions.
    """
    from fullconv.errors import ConfigError

    if head and predictions and not data.heads:
        raise ConfigError(f"{data.source} has labels of one head; leave out --head {head}")
    return data.head(head) if head and data.heads else data


def choose_source(model: str, data: str | None, predictions: Path | None) -> str:
    """Return the data set: DATA, else that of the run; with --predictions, MODEL names it.

    Raises:
        ConfigError: no data set is given, and MODEL is not of a run.
    """
    from fullconv.errors import ConfigError

    if data or predictions:
        return data or model
    trained_on = _run_settings(model).get("data")
    if not isinstance(trained_on, str):
        raise ConfigError(
            "no data set is given, and MODEL is not a run folder, which would name it; expected: "
            "fullconv evaluate MODEL DATA"
        )
    return trained_on


def seen_in_training(model: str, source: str, split: str) -> str:
    """Return a note if a run's model is evaluated on images that it was trained on; else "".

    Args:
        model: as a user named it.
        source: the data set.
        split: its split, or "all".
    """
    from fullconv.cli._train_config import absolute_data

    settings = _run_settings(model)
    trained = str(settings.get("train_on") or "train").split("+")
    own, data = str(settings.get("data") or ""), absolute_data(source)
    if data != own or split not in (*trained, "all"):
        return ""
    which = "these images" if split in trained else "some of these images"
    return f"{model} was trained on {which}, so the metrics do not tell how it does on new ones"


def _run_settings(model: str) -> dict[str, Any]:
    """Return the settings of the run that a model belongs to; {} if it belongs to none."""
    from fullconv.training.run.folder import Run

    path = Path(model)
    run = Run(path if path.is_dir() else path.parent)
    return run.read_config() if path.exists() and run.config.is_file() else {}


def parse_compared(
    sources: Sequence[str], data: str | None, split: str, averaging: str | None
) -> "list[tuple[str, Data | None]]":
    """Return each source of a comparison with its samples; None for stored results.

    Args:
        sources: models, folders of predictions, and results.
        data: the data set, if the user named it.
        split: its split.
        averaging: the option by which predictions of models are to be averaged; None without.

    Raises:
        ConfigError: there are fewer than two sources, one is a data set, or a model has none; or
            no source is a model, but its predictions are to be averaged.
        DataError: the data set cannot be opened.
    """
    from fullconv.data.formats import open_data
    from fullconv.errors import ConfigError
    from fullconv.evaluation.scores import holds_scores

    if len(sources) < 2:
        raise ConfigError("one source; expected two or more: fullconv compare A B --data DATA")
    new = [source for source in sources if not holds_scores(Path(source))]
    for source in new:
        if (Path(source) / "images").is_dir() and (Path(source) / "masks").is_dir():
            raise ConfigError(f"{source} is a data set; expected it as --data {source}")
    models = [source for source in new if not holds_predictions(Path(source))]
    if averaging and not models:
        raise ConfigError(
            f"{averaging} needs a model; results and predictions in files are finished: omit "
            f"{averaging}"
        )
    samples = None
    if new:
        if data is None and not models:
            raise ConfigError("predictions need the data set that they are of; add --data DATA")
        source = data or choose_source(models[0], None, None)
        samples = open_data(source, None if split == "all" else split)
    return [(source, samples if source in new else None) for source in sources]


def holds_predictions(path: Path) -> bool:
    """Return whether a folder holds predictions of images, and no model."""
    from fullconv.training.run.folder import Run

    run = Run(path)
    return path.is_dir() and not any(file.is_file() for file in (run.best, run.last, run.config))


def labels_folder(predictions: Path) -> Path:
    """Return the folder of indexed PNGs in the output of `fullconv predict`, or the folder."""
    return predictions / "labels" if (predictions / "labels").is_dir() else predictions


def open_model(name: str, device: str) -> "Model":
    """Load a model onto a device.

    Raises:
        WeightsError: it cannot be loaded.
        ConfigError: there is no such device.
    """
    from fullconv.hardware import choose_device
    from fullconv.model import load

    model = load(name)
    model.network.to(choose_device(device))
    return model


def prepare_model(
    model: "Model",
    data: "Data",
    engine: str,
    scales: Sequence[float] | None,
    announce: Callable[[str], None],
) -> None:
    """Choose what computes the images of a data set, and prepare it if there are many.

    Raises:
        ConfigError: the engine cannot compute this model.
        UnknownNameError: there is no such engine.
        MissingExtraError: it is not installed.
    """
    from fullconv.engines import check_engine
    from fullconv.engines.workload import Workload
    from fullconv.evaluation.scored_samples import samples_at_once
    from fullconv.hardware import computing_threads
    from fullconv.inference.cpu.optimize import MIN_IMAGES
    from fullconv.io.images import fit_size

    if model.exported:
        model.optimize(engine)  # checks that it is the file's
        return
    engine, count = check_engine(engine), len(data)
    if count < MIN_IMAGES and engine in ("auto", "torch"):
        return
    size = data[0].image.shape[:2] if count else (1, 1)
    at_once = samples_at_once(model, size, count, scales)
    workload = Workload(
        images=count,
        size=fit_size(size, model.size, model.input_scale),
        passes=2 * sum(scale**2 for scale in scales) if scales else 1.0,
        at_once=at_once,
    )
    threads = max(1, computing_threads() // at_once)
    model.optimize(engine, workload, threads=threads, announce=announce)
    if model.choice.reason:
        announce(f"engine  {model.choice.reason}")
