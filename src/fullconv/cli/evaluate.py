"""fullconv evaluate: measure the accuracy of a model, or of predictions in files."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fullconv.cli import _evaluate_options as options
from fullconv.cli._console import say, saying_if_busy, track, write_json
from fullconv.cli._options import MODEL, Device, GroupBy, Json, Out, Quiet
from fullconv.cli._predict_options import Scales, Tta, parse_scales


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)],
    data: options.Dataset = None,
    split: options.Split = "val",
    predictions: options.Predictions = None,
    group_by: GroupBy = None,
    groups: options.Groups = None,
    explain: options.Explain = False,
    suspects: options.Suspects = 0,
    tta: Tta = False,
    scales: Scales = None,
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
    from fullconv.evaluation.evaluate import evaluate, evaluate_files
    from fullconv.evaluation.report.evaluation_page import write_evaluation_page
    from fullconv.evaluation.result_files import write_results
    from fullconv.evaluation.scored_samples import (
        open_predictions,
        score_prediction_files,
        score_samples,
    )
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
        folder = options.labels_folder(predictions)
        evaluation = evaluate_files(folder, samples, **given)
        name = folder.name
        files = open_predictions(folder, samples)
        read = partial(score_prediction_files, files, samples)
    else:
        opened, name = options.open_model(model, samples, device), _name_of(model)
        samples = samples.scaled_for(opened.band_choice)
        chosen = parse_scales(tta, scales, opened.tta_scales) or None
        with saying_if_busy():
            evaluation = evaluate(opened, samples, scales=chosen, suspects=suspects, **given)
        evaluation = replace(evaluation, model=model)
        read = partial(score_samples, opened, samples, scales=chosen, keep_scores=True)
    with new_results(out, "evaluate", name) as folder:
        write_results(folder, evaluation)
    if suspects:
        write_suspects(folder, evaluation.suspects, samples)
    page = None
    if explain or report:
        page = write_evaluation_page(folder, evaluation, samples.palette, read, progress)
    if str(json) != "-":
        print_evaluation(evaluation, quiet)
        if suspects:
            print_suspects(evaluation, folder)
        say(f"results  {folder}")
        if page:
            say(f"report  {page}")
    write_json(json, evaluation.to_dict())


def _name_of(model: str) -> str:
    """Return the name of a run folder, also behind a link, or of a file without its suffix."""
    path = Path(model)
    return path.resolve().name if path.is_dir() else path.stem
