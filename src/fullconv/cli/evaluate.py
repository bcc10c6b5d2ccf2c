"""fullconv evaluate: measure the accuracy of a model, or of predictions in files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import format_class_table, say, say_lines, track, write_json
from fullconv.cli._options import DATA, MODEL, Device, GroupBy, Json, Out, Quiet
from fullconv.cli._predict_options import Scales, Tta, parse_scales

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.model import Model


FILES_PROTOCOL = (
    "{classes} classes; ignored pixels (255) excluded; absent classes excluded from "
    "means; PNGs at the labels' own size, read as {rule}; one confusion matrix over all pixels"
)

Dataset = Annotated[
    str | None,
    typer.Argument(metavar="DATA", help=DATA, show_default="MODEL, with --predictions"),
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


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)],
    data: Dataset = None,
    split: Split = "val",
    predictions: Predictions = None,
    group_by: GroupBy = None,
    tta: Tta = False,
    scales: Scales = None,
    device: Device = "auto",
    out: Out = Path("runs"),
    report: Annotated[
        bool, typer.Option("--report", help="Write a report to OUT/evaluate/NAME-001.")
    ] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Measure the accuracy of a model on a data set.

    Prints pixel accuracy, mean accuracy, mean IoU and frequency-weighted IoU, and the IoU of every
    class.
    """
    from fullconv.data.formats import open_data
    from fullconv.errors import ConfigError
    from fullconv.evaluation.evaluate import (
        open_predictions,
        score_prediction_files,
        score_samples,
        summarize,
    )
    from fullconv.evaluation.metrics import format_percent
    from fullconv.evaluation.summary import format_metrics
    from fullconv.hardware import choose_device
    from fullconv.inference.cpu.optimize import MIN_IMAGES
    from fullconv.inference.tta import tta_protocol
    from fullconv.model import load

    source = data or (model if predictions else None)
    if source is None:
        raise ConfigError("no data set is given; expected: fullconv evaluate MODEL DATA")
    samples = open_data(source, None if split == "all" else split, group_by)
    opened = None
    if predictions:
        folder = predictions / "labels" if (predictions / "labels").is_dir() else predictions
        reader = open_predictions(folder, samples)
        scored = score_prediction_files(reader, samples)
        protocol = FILES_PROTOCOL.format(classes=len(samples.classes), rule=reader.table.rule)
    else:
        opened = load(model)
        opened.network.to(choose_device(device))
        if len(samples) >= MIN_IMAGES:
            opened.optimize()
        tta_scales = parse_scales(tta, scales, opened.tta_scales) or None
        scored = score_samples(opened, samples, tta_scales)
        protocol = opened.protocol + tta_protocol(tta_scales)
    evaluation = summarize(track(scored, len(samples), "evaluating", quiet), samples, protocol)
    if str(json) != "-":
        if not quiet:
            say_lines(format_class_table(evaluation))
            say(f"{source}, split {split}, {len(samples)} images; {protocol}")
        if predictions:
            share = evaluation.share_without_prediction
            say(f"pixels without a prediction: {format_percent(share)}, counted as wrong")
        say(format_metrics(evaluation))
    write_json(json, evaluation.to_dict())
    if report and opened:
        say(f"report  {_write_report(opened, samples, evaluation, out, model)}")


def _write_report(
    model: "Model", data: "Data", evaluation: "Evaluation", out: Path, name: str
) -> Path:
    from fullconv.evaluation.report.page import ReportData, write_report
    from fullconv.evaluation.summary import choose_gallery
    from fullconv.training.run.folder import create_run

    run = create_run(out, "evaluate", Path(name).stem)
    split = data.split or "all"
    report = ReportData(
        title=run.folder.name,
        summary=f"{name}, evaluated on {len(data)} images of {data.source} ({split})",
        facts={"model": name, "data": data.source, "split": split},
        classes=model.classes,
        palette=model.palette,
        history=[],
        confusion=evaluation.confusion,
        gallery=choose_gallery(model, data, evaluation),
        protocol=evaluation.protocol,
        commands=[f"fullconv predict {name} NEW_PHOTOS --out predictions"],
    )
    return write_report(run.folder, report)
