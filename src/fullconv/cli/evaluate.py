"""fullconv evaluate: measure the accuracy of a model, or of predictions in files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli import _evaluate_options as options
from fullconv.cli._console import say, saying_if_busy, track, write_json
from fullconv.cli._options import MODEL, Device, Engine, GroupBy, Head, Json, Out, Quiet, say_taken
from fullconv.cli._predict_options import Scales, Tta, parse_scales

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.evaluation.report.evaluation_page import ReadSamples
    from fullconv.model import Model


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL, callback=say_taken)],
    data: options.Dataset = None,
    split: options.Split = "val",
    predictions: options.Predictions = None,
    group_by: GroupBy = None,
    groups: options.Groups = None,
    explain: options.Explain = False,
    suspects: options.Suspects = 0,
    tta: Tta = False,
    scales: Scales = None,
    engine: Engine = "auto",
    head: Head = None,
    device: Device = "auto",
    out: Out = Path("runs"),
    report: options.Report = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Measure the accuracy of a model on a data set.

    Prints pixel accuracy, mean accuracy, mean IoU with its confidence interval, and the IoU of
    every class. Writes all metrics, those of each image and group, and the confusion matrix to
    OUT/evaluate/NAME-001.
    """
    from fullconv.cli._evaluate_output import print_evaluation, print_suspects
    from fullconv.data.formats import open_data
    from fullconv.evaluation.report.evaluation_page import write_evaluation_page
    from fullconv.evaluation.result_files import write_results
    from fullconv.evaluation.suspect_files import write_suspects
    from fullconv.training.run.folder import new_results

    options.check_options(predictions, suspects, tta)
    source = options.choose_source(model, data, predictions)
    samples = open_data(source, None if split == "all" else split, group_by)
    for warning in samples.warnings:
        say(f"warning: {warning}")
    progress = partial(track, quiet=quiet or str(json) == "-")
    given: Any = {"groups": groups, "explain": explain, "progress": progress}
    if predictions:
        found = _evaluate_files(predictions, samples, given)
    else:
        opened = options.open_model(model, device).one_head(head)
        samples = samples.head(head) if head and samples.heads else samples
        chosen = parse_scales(tta, scales, opened.tta_scales) or None
        announce = (lambda text: None) if quiet or str(json) == "-" else say
        options.prepare_model(opened, samples, engine, chosen, announce)
        found = _evaluate_model(opened, model, samples, given | {"suspects": suspects}, chosen)
    with new_results(out, "evaluate", found.name) as folder:
        write_results(folder, found.evaluation)
    if suspects:
        write_suspects(folder, found.evaluation.suspects, found.samples)
    page = None
    if explain or report:
        page = write_evaluation_page(
            folder, found.evaluation, samples.palette, found.read, progress
        )
    if str(json) != "-":
        print_evaluation(found.evaluation, quiet)
        if suspects:
            print_suspects(found.evaluation, folder)
        say(f"results  {folder}")
        if page:
            say(f"report  {page}")
    write_json(json, found.evaluation.to_dict())


@dataclass(frozen=True)
class _Evaluated:
    """An evaluation, and what its files are made from.

    Attributes:
        name: of its folder.
        evaluation: the metrics.
        samples: the data set, its photos scaled as for the model.
        read: reads samples and predictions once more, by their indices.
    """

    name: str
    evaluation: "Evaluation"
    samples: "Data"
    read: "ReadSamples"


def _evaluate_model(
    model: "Model",
    path: str,
    samples: "Data",
    given: Any,
    scales: Sequence[float] | None,
) -> _Evaluated:
    from fullconv.evaluation.evaluate import evaluate
    from fullconv.evaluation.scored_samples import score_samples

    scaled = samples.scaled_for(model.band_choice)
    with saying_if_busy():
        evaluation = evaluate(model, scaled, scales=scales, **given)
    read = partial(score_samples, model, scaled, scales=scales, keep_scores=True)
    return _Evaluated(_name_of(path), replace(evaluation, model=path), scaled, read)


def _evaluate_files(predictions: Path, samples: "Data", given: Any) -> _Evaluated:
    from fullconv.evaluation.evaluate import evaluate_files
    from fullconv.evaluation.scored_samples import open_predictions, score_prediction_files

    folder = options.labels_folder(predictions)
    files = open_predictions(folder, samples)
    evaluation = evaluate_files(files, samples, **given)
    return _Evaluated(
        folder.name, evaluation, samples, partial(score_prediction_files, files, samples)
    )


def _name_of(model: str) -> str:
    """Return the name of a run folder, also behind a link, or of a file without its suffix."""
    path = Path(model)
    return path.resolve().name if path.is_dir() else path.stem
