"""fullconv demo: the whole way in under three minutes, on scenes that the program draws itself."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import say
from fullconv.cli._options import Out, Quiet
from fullconv.cli._train_progress import follow
from fullconv.cli.predict import write
from fullconv.units import format_duration

TRAINED_ON = "scenes:200"
NEW_PHOTOS = 4


def command(
    out: Out = Path("runs"),
    epochs: Annotated[int, typer.Option(help="Times through the scenes.")] = 28,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Train on drawn street scenes, evaluate, label new ones and write a report. No download."""
    import time

    from fullconv.config import RunConfig
    from fullconv.data.formats import open_data
    from fullconv.io.images import write_image
    from fullconv.model import load
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import create

    began = time.monotonic()
    config = RunConfig.checked(
        data=TRAINED_ON,
        model="fcn4s-vgg13_bn",  # people and poles are a few pixels wide
        width=0.25,
        hidden=64,
        epochs=epochs,
        batch=4,
        lr=4e-3,
        warmup=20,
        scale=(0.9, 1.4),
        balance="sqrt-inv",
        seed=seed,
        evaluate_every=4,
    )
    experiment = Experiment(config)
    experiment.enter(create(out, "train", "demo"))
    follow(experiment, quiet)
    folder = experiment.run.folder / "new"
    model = load(experiment.run.folder)
    for sample in open_data(TRAINED_ON, "test").take(range(NEW_PHOTOS)):
        write_image(folder / "photos" / f"{sample.name}.png", sample.image)
        write(model.predict(sample.image), folder, sample.name, ("labels", "overlay"))
    say(f"answers to {NEW_PHOTOS} new scenes  {folder / 'overlay'}")
    say(f"demo done in {format_duration(time.monotonic() - began)}")
