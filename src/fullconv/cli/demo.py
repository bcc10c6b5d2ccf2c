"""fullconv demo: train on photos that come with fullconv, and show the result on held-out ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fullconv.cli._console import say, say_path
from fullconv.cli._options import Out, Quiet
from fullconv.cli._signals import exit_on_signal
from fullconv.cli._train_config import new_settings
from fullconv.cli._train_line import activity
from fullconv.cli._train_progress import train_stages
from fullconv.cli.train import prepare
from fullconv.config import RunConfig
from fullconv.units import count, format_duration

if TYPE_CHECKING:
    from fullconv.evaluation.evaluation import Evaluation
    from fullconv.training.experiment import Experiment


@exit_on_signal()
def command(
    minutes: Annotated[
        float, typer.Option(help="Time for training, evaluations and the report.")
    ] = 2.0,
    out: Out = Path("runs"),
    seed: Annotated[int, typer.Option(help=RunConfig.model_fields["seed"].description)] = 0,
    quiet: Quiet = False,
) -> None:
    """Train on included photos, and show the result."""
    import time

    from fullconv.training.distributed import SINGLE_PROCESS
    from fullconv.training.run.folder import create_run

    began = time.monotonic()
    settings = new_settings(
        {"data": "samples:nuclei", "minutes": minutes, "seed": seed}, None, None
    )
    with activity("reading the photos", quiet):
        experiment, config = prepare(settings, SINGLE_PROCESS)
    run = create_run(out, "train", "demo", config.model_dump(mode="json"))
    evaluations = train_stages(config, run, experiment, SINGLE_PROCESS, quiet)
    assert evaluations, "one process has the evaluation"
    evaluation = evaluations.first
    picture = _write_picture(experiment, evaluation)
    label = len(evaluation.classes) - 1
    say(
        f"demo    {evaluation.classes[label]} IoU {100 * evaluation.iou[label]:.1f} % on "
        f"{count(len(experiment.val), 'held-out photo')}, "
        f"{format_duration(time.monotonic() - began)} in all"
    )
    say("photo, ground truth and prediction of each:")
    say_path(picture)


def _write_picture(experiment: "Experiment", evaluation: "Evaluation") -> Path:
    """Write a picture of every held-out photo, its ground truth and its prediction."""
    from fullconv.evaluation.report.gallery import GallerySample, draw_comparison
    from fullconv.io.images import write_image
    from fullconv.model import load

    model = load(experiment.run.folder)
    rows = [
        GallerySample(
            sample.name,
            sample.image,
            sample.labels,
            model.predict(sample.image).labels,
            evaluation.image_iou[sample.name],
        )
        for sample in experiment.val
    ]
    path = experiment.run.folder / "predictions.png"
    write_image(path, draw_comparison(rows, model.classes, model.palette))
    return path
