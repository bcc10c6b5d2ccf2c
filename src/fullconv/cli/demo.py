"""fullconv demo: train, evaluate and predict on synthetic street scenes in under three minutes."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import say
from fullconv.cli._options import Out, Quiet
from fullconv.cli._train_progress import train_to_end
from fullconv.config import RunConfig
from fullconv.units import format_duration

DATA = "scenes:200"
NEW_SCENES = 4


def command(
    out: Out = Path("runs"),
    epochs: Annotated[int, typer.Option(help="Number of epochs.")] = 28,
    seed: Annotated[int, typer.Option(help=RunConfig.model_fields["seed"].description)] = 0,
    quiet: Quiet = False,
) -> None:
    """Train, evaluate and predict on synthetic street scenes. Needs no download."""
    import time

    from fullconv.batch.predict import write_prediction
    from fullconv.data.formats import open_data
    from fullconv.io.images import write_image
    from fullconv.model import load
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import create_run

    began = time.monotonic()
    config = RunConfig.checked(
        data=DATA,
        model="fcn4s-vgg13_bn",  # people and poles are a few pixels wide
        width=0.25,
        hidden=64,
        epochs=epochs,
        batch=4,
        lr=4e-3,
        warmup=20,
        zoom=(0.9, 1.4),
        balance="sqrt-inv",
        seed=seed,
        evaluate_every=4,
    )
    experiment = Experiment(config)
    experiment.attach(create_run(out, "train", "demo"))
    train_to_end(experiment, quiet)
    folder = experiment.run.folder / "new"
    model = load(experiment.run.folder)
    for sample in open_data(DATA, "test").take(range(NEW_SCENES)):
        write_image(folder / "photos" / f"{sample.name}.png", sample.image)
        write_prediction(model.predict(sample.image), folder, sample.name)
    say(f"predictions for {NEW_SCENES} new scenes  {folder / 'overlay'}")
    say(f"demo finished in {format_duration(time.monotonic() - began)}")
