"""fullconv evaluate: the four numbers of a model, or of anybody's answers, on a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import format_class_table, say, track, write_json
from fullconv.cli._options import DATA, MODEL, Device, GroupBy, Json, Out, Quiet
from fullconv.cli._predict_options import Scales, Tta, parse_scales

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.evaluation.evaluate import Evaluation
    from fullconv.model import Model


def command(
    model: Annotated[str, typer.Argument(help=MODEL)],
    data: Annotated[str | None, typer.Argument(help=DATA)] = None,
    split: Annotated[str, typer.Option(help="train, val, test, or all.")] = "val",
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Score these indexed PNGs (a folder) instead: evaluate DATA --predictions DIR."
        ),
    ] = None,
    group_by: GroupBy = None,
    tta: Tta = False,
    scales: Scales = None,
    device: Device = "auto",
    out: Out = Path("runs"),
    report: Annotated[bool, typer.Option("--report", help="Write OUT/evaluate/NAME-001.")] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Measure a model on a data set: pixel accuracy, mean accuracy, mean IU, f.w. IU."""
    from fullconv.data.formats import open_data
    from fullconv.errors import ConfigError
    from fullconv.evaluation.evaluate import score_each, score_files, summarise
    from fullconv.evaluation.summary import four_numbers, numbers
    from fullconv.hardware import choose_device
    from fullconv.inference.cpu.optimize import PAYS
    from fullconv.inference.tta import tta_protocol
    from fullconv.model import load

    source = data or (model if predictions else None)
    if source is None:
        raise ConfigError("no data was given; expected: fullconv evaluate MODEL DATA")
    samples = open_data(source, None if split == "all" else split, group_by)
    answers = None
    if predictions:
        folder = predictions / "labels" if (predictions / "labels").is_dir() else predictions
        scored = score_files(folder, samples)
        protocol = (
            f"{len(samples.classes)} classes; void (255) left out; absent classes left out of "
            "means; indexed PNGs at the labels' own size; one confusion matrix over all pixels"
        )
    else:
        answers = load(model)
        answers.network.to(choose_device(device))
        if len(samples) >= PAYS:
            answers.optimize()
        averaged = parse_scales(tta, scales, answers.tta_scales) or None
        scored = score_each(answers, samples, averaged)
        protocol = answers.protocol + tta_protocol(averaged)
    shown = track(scored, len(samples), "evaluating", quiet)
    evaluation = summarise(shown, samples, protocol)
    if str(json) != "-":
        if not quiet:
            say(format_class_table(evaluation))
            say(f"{source}, split {split}, {len(samples)} images; {protocol}")
        say(four_numbers(evaluation))
    write_json(json, numbers(evaluation))
    if report and answers:
        say(f"report  {_report(answers, samples, evaluation, out, model)}")


def _report(model: "Model", data: "Data", evaluation: "Evaluation", out: Path, name: str) -> Path:
    from fullconv.evaluation.report.page import ReportData, write_report
    from fullconv.evaluation.summary import gallery
    from fullconv.training.run.folder import create_run

    run = create_run(out, "evaluate", Path(name).stem)
    story = ReportData(
        title=run.folder.name,
        summary=f"{name}, evaluated on {len(data)} images of {data.source} ({data.split or 'all'})",
        facts={"model": name, "data": data.source, "split": data.split or "all"},
        classes=model.classes,
        palette=model.palette,
        history=[],
        confusion=evaluation.confusion,
        pictures=gallery(model, data, evaluation),
        protocol=evaluation.protocol,
        commands=[f"fullconv predict {name} NEW_PHOTOS --out answers"],
    )
    return write_report(run.folder, story)
