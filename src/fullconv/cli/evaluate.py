"""fullconv evaluate: measure the accuracy of a model, or of predictions in files."""

from collections.abc import Mapping, Sequence
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
    from fullconv.evaluation.evaluate import Progress
    from fullconv.evaluation.evaluation import HeadEvaluations
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
    OUT/evaluate/NAME-001; of several heads, those of each to a folder there.
    """
    from fullconv.cli._evaluate_output import print_evaluations
    from fullconv.data.formats import open_data
    from fullconv.evaluation.result_files import write_head_results
    from fullconv.training.run.folder import new_results

    needing = {"--suspects": suspects > 0, "--scales": scales is not None, "--tta": tta}
    needing |= {"--engine": engine != "auto", "--device": device != "auto"}
    options.check_options(predictions, model, data, needing)
    source = options.choose_source(model, data, predictions)
    samples = open_data(source, None if split == "all" else split, group_by)
    for warning in samples.warnings:
        say(f"warning: {warning}")
    samples = options.choose_head(samples, head, predictions is not None)
    progress = partial(track, quiet=quiet or str(json) == "-")
    given: Any = {"groups": groups, "explain": explain, "progress": progress}
    if predictions:
        of_head = predictions / (head or "")
        found = _evaluate_files(of_head if of_head.is_dir() else predictions, samples, given)
    else:
        if note := options.seen_in_training(model, source, split):
            say(f"note   {note}")
        opened = options.open_model(model, device)
        opened = opened.one_head(head) if head else opened
        chosen = parse_scales(tta, scales, opened.tta_scales) or None
        announce = (lambda text: None) if quiet or str(json) == "-" else say
        options.prepare_model(opened, samples, engine, chosen, announce)
        found = _evaluate_model(opened, model, samples, given | {"suspects": suspects}, chosen)
    with new_results(out, "evaluate", found.name) as folder:
        folders = write_head_results(folder, found.evaluations)
    if suspects:
        _write_suspects(found, folders)
    pages = _write_pages(found, folders, progress) if explain or report else []
    if str(json) != "-":
        print_evaluations(found.evaluations, folders, quiet, suspects > 0)
        say(f"results  {folder}")
        for page in pages:
            say(f"report  {page}")
    write_json(json, found.evaluations.to_dict())


@dataclass(frozen=True)
class _Evaluated:
    """An evaluation, and what its files are made from.

    Attributes:
        name: of its folder.
        evaluations: the metrics of each head.
        samples: the data set, its photos scaled as for the model.
        read: reads samples and predictions of each head once more, by their indices.
    """

    name: str
    evaluations: "HeadEvaluations"
    samples: "Data"
    read: "Mapping[str, ReadSamples]"


def _evaluate_model(
    model: "Model",
    path: str,
    samples: "Data",
    given: Any,
    scales: Sequence[float] | None,
) -> _Evaluated:
    from fullconv.evaluation.evaluate import evaluate_heads
    from fullconv.evaluation.evaluation import HeadEvaluations
    from fullconv.evaluation.scored_samples import score_head

    scaled = samples.scaled_for(model.band_choice)
    with saying_if_busy():
        found = evaluate_heads(model, scaled, scales=scales, **given)
    heads = {name: replace(each, model=path) for name, each in found.heads.items()}
    options: Any = {"scales": scales, "keep_scores": True}
    read: dict[str, ReadSamples] = {
        n: partial(score_head, n, model, scaled, **options) for n in heads
    }
    return _Evaluated(_name_of(path), HeadEvaluations(heads), scaled, read)


def _evaluate_files(predictions: Path, samples: "Data", given: Any) -> _Evaluated:
    from fullconv.evaluation.evaluate import evaluate_files
    from fullconv.evaluation.evaluation import HeadEvaluations
    from fullconv.evaluation.scored_samples import open_predictions, score_prediction_files

    heads, read = {}, {}
    for name, data in samples.by_head().items():
        files = open_predictions(options.labels_folder(predictions / name), data)
        heads[name] = evaluate_files(files, data, **given)
        read[name] = partial(score_prediction_files, files, data)
    folder = options.labels_folder(predictions)
    return _Evaluated(folder.name, HeadEvaluations(heads), samples, read)


def _write_suspects(found: _Evaluated, folders: dict[str, Path]) -> None:
    """Write the suspected label errors of each head."""
    from fullconv.evaluation.suspect_files import write_suspects

    for name, data in found.samples.by_head().items():
        write_suspects(folders[name], found.evaluations.heads[name].suspects, data)


def _write_pages(found: _Evaluated, folders: dict[str, Path], progress: "Progress") -> list[Path]:
    """Write the report of each head; return their paths."""
    from fullconv.evaluation.report.evaluation_page import write_evaluation_page

    pages = []
    for name, data in found.samples.by_head().items():
        evaluation, folder = found.evaluations.heads[name], folders[name]
        title = f"{folder.parent.name}: {name}" if name else folder.name
        given = folder, evaluation, data.palette, found.read[name], progress
        pages.append(write_evaluation_page(*given, title))
    return pages


def _name_of(model: str) -> str:
    """Return the name of a run folder, also behind a link, or of a file without its suffix."""
    path = Path(model)
    return path.resolve().name if path.is_dir() else path.stem
