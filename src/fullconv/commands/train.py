"""fullconv train: photos and masks in, a trained segmenter out."""

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.commands import NEWEST
from fullconv.commands._options import (
    DATA,
    FUSING,
    UPSAMPLING,
    Device,
    Json,
    Out,
    Quiet,
    Size,
    parse_padding,
    parse_size,
)
from fullconv.commands._show import clock, progress, say, table_of_classes, write_json

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.evaluation import Evaluation
    from fullconv.experiment import Epoch, Experiment
    from fullconv.run import Run

# Exit codes of a training that was asked to stop: it saved all there is, and can go on.
STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 75}


def command(
    data: Annotated[str | None, typer.Argument(help=DATA)] = None,
    model: Annotated[str | None, typer.Option(help="Network, e.g. fcn8s-vgg16.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Initial weights: a file, or 'imagenet' to download them.")
    ] = None,
    padding: Annotated[
        str | None, typer.Option(help="'same', or pixels of zeros: 100 in the paper.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Multiplies all widths.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Width of fc6 and fc7.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times through the photos.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, instead of epochs.")] = None,
    size: Size = None,
    crop: Annotated[
        str | None, typer.Option(metavar="HxW", help="Size of the training windows.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Photos a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate (of the mean loss).")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd or adamw.")] = None,
    schedule: Annotated[str | None, typer.Option(help="poly, cosine or constant.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps to the full rate.")] = None,
    upsampling: Annotated[str | None, typer.Option(help=UPSAMPLING)] = None,
    fusing: Annotated[str | None, typer.Option(help=FUSING)] = None,
    balance: Annotated[
        str | None,
        typer.Option(help="Class weights: none, median-freq, enet, sqrt-inv, effective."),
    ] = None,
    learn_upsampling: Annotated[
        bool | None, typer.Option("--learn-upsampling", help="Train the upsampling too.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that read photos.")] = None,
    device: Device | None = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings from a YAML file; options above win.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the run folder.")] = None,
    out: Out = Path("runs"),
    resume: Annotated[
        str | None,
        typer.Option(metavar="[RUN]", help="Go on with a run; alone: the newest unfinished one."),
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on photos and masks; writes OUT/train/NAME-001 with model and report."""
    given = {
        "data": data,
        "model": model,
        "weights": weights,
        "padding": None if padding is None else parse_padding(padding),
        "width": width,
        "hidden": hidden,
        "epochs": epochs,
        "steps": steps,
        "size": parse_size(size),
        "crop": parse_size(crop),
        "batch": batch,
        "lr": lr,
        "optimizer": optimizer,
        "schedule": schedule,
        "warmup": warmup,
        "balance": balance,
        "upsampling": upsampling,
        "fusing": fusing,
        "learn_upsampling": learn_upsampling,
        "seed": seed,
        "workers": workers,
        "device": device,
    }
    from fullconv.experiment import Experiment, numbers
    from fullconv.run import create

    given = {key: value for key, value in given.items() if value is not None}
    run, settings = _start(given, config, out, resume)
    experiment = Experiment(settings)
    # A folder is made only now that nothing of what was given is wrong.
    experiment.enter(run or create(out, "train", name or stem(settings.data)))
    evaluation = follow(experiment, quiet)
    write_json(json, {"run": str(experiment.run.folder), **numbers(evaluation)})


def follow(experiment: "Experiment", quiet: bool = False) -> "Evaluation":
    """Run an experiment to its end, telling how it goes.

    Raises:
        typer.Exit: it was asked to stop; everything is saved.
    """
    from fullconv.experiment import Epoch, four_numbers

    _announce(experiment, quiet)
    training = experiment.training
    with _stoppable() as stopped, progress(quiet) as bar:
        task = bar.add_task("training", total=training.steps, completed=training.done)
        for event in experiment.events():
            if isinstance(event, Epoch):
                if not quiet:
                    say(_epoch_line(event))
                continue
            bar.update(task, completed=event.number, description=f"loss {event.loss:.3f}")
            if stopped:
                experiment.save()
                break
    if stopped:
        say(f"Stopped after step {training.done} of {training.steps}; everything is saved.")
        say(f"Go on with:  fullconv train --resume {experiment.run.folder}")
        raise typer.Exit(STOPPED[stopped[0]])
    evaluation = experiment.finish()
    if not quiet:
        say(table_of_classes(evaluation))
    say(f"best epoch {experiment.best[1]}:  {four_numbers(evaluation)}")
    say(f"report  {experiment.run.folder / 'report.html'}")
    say(f"next    fullconv predict {experiment.run.folder} NEW_PHOTOS --out answers")
    return evaluation


def _start(
    given: dict[str, Any], config: Path | None, out: Path, resume: str | None
) -> "tuple[Run | None, RunConfig]":
    """The run folder to go on with, or None for a new one; and the settings."""
    from fullconv.config import RunConfig, read_yaml
    from fullconv.errors import ConfigError
    from fullconv.run import existing, unfinished

    if resume is not None:
        run = unfinished(out) if resume == NEWEST else existing(Path(resume))
        if run is not None:
            return run, _same(RunConfig.checked(**run.read_config()), given, run.folder)
    settings = (read_yaml(config) if config else {}) | given
    if "data" not in settings:
        raise ConfigError(
            "no data was given; expected: fullconv train DATA, where DATA is a folder with "
            "images/, masks/ and classes.txt, FORMAT:PATH, or scenes:N"
        )
    settings["data"] = anchored(str(settings["data"]))
    return None, RunConfig.checked(**settings)


def _same(saved: "RunConfig", given: dict[str, Any], folder: Path) -> "RunConfig":
    """The saved settings; only what cannot change the result may be given anew."""
    from fullconv.errors import ConfigError

    free = {"workers", "device"}
    for key in given.keys() - free - {"data"}:
        if getattr(saved, key) != given[key]:
            raise ConfigError(
                f"{folder} was started with {key} {getattr(saved, key)}, not {given[key]}: leave "
                f"the option away to go on with it, or start a new run without --resume"
            )
    return saved.model_copy(update={key: given[key] for key in given.keys() & free})


def anchored(data: str) -> str:
    """DATA with its folder as an absolute path, so that a run can be resumed from anywhere."""
    kind, colon, path = data.rpartition(":")
    place, question, options = path.partition("?")
    if not place or not Path(place).exists():
        return data
    return f"{kind}{colon}{Path(place).resolve()}{question}{options}"


def stem(data: str) -> str:
    """A short name for a run on DATA: "photos" for /home/me/photos, "scenes" for scenes:200."""
    kind, _, rest = data.partition(":")
    return kind if rest[:1].isdigit() else Path(rest or kind).name or "run"


def _announce(experiment: "Experiment", quiet: bool) -> None:
    if quiet:
        return
    config, training = experiment.config, experiment.training
    parameters = sum(p.numel() for p in experiment.model.network.parameters())
    train, val = len(experiment.train), len(experiment.val)
    say(
        f"model {config.model} ({parameters / 1e6:.1f} M parameters), {train} photos to train and "
        f"{val} to evaluate, {len(experiment.model.classes)} classes, "
        f"{training.steps} steps of {training.batch}, on {training.device}"
    )
    if experiment.split_note:
        say(f"note {experiment.split_note.strip('; ')}")
    if config.size:
        say(f"note photos are fitted into {config.size[0]} x {config.size[1]} (--size changes it)")
    going_on = f" from step {training.done}" if training.done else ""
    say(f"run  {experiment.run.folder}{going_on}   (all settings: config.yaml)")


def _epoch_line(epoch: "Epoch") -> str:
    row = epoch.row
    best, when = epoch.best
    measured = (
        ""
        if math.isnan(row["mean_iu"])
        else (
            f"pixel acc {100 * row['pixel_accuracy']:5.1f}  mean IU {100 * row['mean_iu']:5.1f} "
            f"{'best' if when == epoch.number else f'(best {100 * best:.1f} @{when})'}  "
        )
    )
    return (
        f"epoch {epoch.number:3d}/{epoch.epochs}  loss {row['loss']:.3f}  {measured}"
        f"lr {row['lr']:.1e}  {clock(epoch.seconds)}  left {clock(epoch.left)}"
    )


@contextmanager
def _stoppable() -> Iterator[list[signal.Signals]]:
    """A list that gets the first signal to stop; a second Ctrl-C stops at once."""
    received: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in STOPPED}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
