"""fullconv train: photos and masks in, a trained segmenter out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.commands import NEWEST
from fullconv.commands._follow import follow_stages
from fullconv.commands._options import (
    DATA,
    FUSING,
    UPSAMPLING,
    Device,
    GroupBy,
    Json,
    Out,
    Quiet,
    Size,
    parse_padding,
    parse_size,
)
from fullconv.commands._show import write_json
from fullconv.commands._stop import leaving

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.experiment import Experiment
    from fullconv.run import Run
    from fullconv.team import Team


@leaving()
def command(
    data: Annotated[str | None, typer.Argument(help=DATA)] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Settings under a name, e.g. paper-staged; default: modern.")
    ] = None,
    group_by: GroupBy = None,
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
        str | None, typer.Option(metavar="HxW", help="Size of the training windows, or 'whole'.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Photos a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate (of the mean loss).")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd or adamw.")] = None,
    schedule: Annotated[str | None, typer.Option(help="poly, cosine or constant.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps to the full rate.")] = None,
    upsampling: Annotated[str | None, typer.Option(help=UPSAMPLING)] = None,
    fusing: Annotated[str | None, typer.Option(help=FUSING)] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="cross-entropy, focal, dice, lovasz, ohem, or a sum: focal+0.5*dice."),
    ] = None,
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of config.yaml."),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Save and stop after so long, with exit code 75.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the run folder.")] = None,
    out: Out = Path("runs"),
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="[RUN]", help="Go on with a run; alone or 'auto': the newest unfinished one."
        ),
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on photos and masks; writes OUT/train/NAME-001 with model and report."""
    given = {
        "data": data,
        "recipe": recipe,
        "model": model,
        "weights": weights,
        "padding": None if padding is None else parse_padding(padding),
        "width": width,
        "hidden": hidden,
        "epochs": epochs,
        "steps": steps,
        "size": parse_size(size),
        "crop": crop if crop == "whole" else parse_size(crop),
        "batch": batch,
        "lr": lr,
        "optimizer": optimizer,
        "schedule": schedule,
        "warmup": warmup,
        "loss": loss,
        "balance": balance,
        "upsampling": upsampling,
        "fusing": fusing,
        "learn_upsampling": learn_upsampling,
        "seed": seed,
        "workers": workers,
        "device": device,
    }
    from fullconv.outcome import numbers
    from fullconv.team import joined

    given = {key: value for key, value in given.items() if value is not None}
    with joined(device or "auto") as team:
        given |= parse_settings(settings or ())
        run, wanted = _start(given, config, out, resume, group_by, name, team)
        first = None
        if run is None:
            first, wanted = begun(wanted, team)
            # A folder is made only now that nothing of what was given is wrong.
            run = _new_run(out, name or stem(wanted.data), wanted, team)
        evaluation = follow_stages(wanted, run, first, team, quiet, max_seconds)
    if evaluation:
        write_json(json, {"run": str(run.folder), **numbers(evaluation)})


def _new_run(out: Path, name: str, config: "RunConfig", team: "Team") -> "Run":
    """A new folder, made by the first process; its settings stand in it before all else."""
    from fullconv.run import Run, create

    made = ""
    if team.leads:
        made = str(create(out, "train", name, config.model_dump(mode="json")).folder)
    return Run(Path(team.told(made)))


def begun(config: "RunConfig", team: "Team") -> "tuple[Experiment, RunConfig]":
    """The first stage, built, and the run's settings with all that was left open decided."""
    from fullconv.experiment import Experiment
    from fullconv.runplan import in_stages

    _, settings, _ = next(in_stages(config, Path()))
    first = Experiment(settings, team=team)
    decided = ("width", "size", "crop", "backbone_lr")
    changes: dict[str, Any] = {key: getattr(first.config, key) for key in decided}
    return first, config.model_copy(update=changes | {"lr": config.learning_rate})


def _start(
    given: dict[str, Any],
    config: Path | None,
    out: Path,
    resume: str | None,
    group_by: str | None,
    name: str | None,
    team: "Team",
) -> "tuple[Run | None, RunConfig]":
    """The run folder to go on with, or None for a new one; and the settings."""
    from fullconv.config import RunConfig, read_yaml
    from fullconv.errors import ConfigError
    from fullconv.formats import with_groups
    from fullconv.recipes import with_recipe
    from fullconv.run import existing

    if resume is not None:
        newest = resume in (NEWEST, "auto")
        run = _newest(out, name, team) if newest else existing(Path(resume))
        if run is not None:
            return run, _same(RunConfig.checked(**run.read_config()), given, run.folder)
    settings = with_recipe((read_yaml(config) if config else {}) | given)
    if "data" not in settings:
        raise ConfigError(
            "no data was given; expected: fullconv train DATA, where DATA is a folder with "
            "images/, masks/ and classes.txt, FORMAT:PATH, or scenes:N"
        )
    if group_by:
        settings["data"] = with_groups(str(settings["data"]), group_by)
    settings["data"] = anchored(str(settings["data"]))
    return None, RunConfig.checked(**settings)


def _newest(out: Path, name: str | None, team: "Team") -> "Run | None":
    """The run to go on with, as the first process finds it: other machines may see it later."""
    from fullconv.run import Run, unfinished

    found = unfinished(out, name=name) if team.leads else None
    said = team.told(str(found.folder) if found else "")
    return Run(Path(said)) if said else None


def parse_settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings from NAME=VALUE, with values as in YAML.

    Raises:
        ConfigError: one has not this form.
    """
    import yaml

    from fullconv.errors import ConfigError

    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise ConfigError(f"--set {one}: expected NAME=VALUE, e.g. --set average=0.99")
    return found


def _same(saved: "RunConfig", given: dict[str, Any], folder: Path) -> "RunConfig":
    """The saved settings; only what cannot change the result may be given anew."""
    from fullconv.errors import ConfigError

    free = {"workers", "device", "track"}
    wanted = type(saved).checked(**saved.model_dump() | given)
    for key in given.keys() - free - {"data"}:
        if getattr(saved, key) != getattr(wanted, key):
            raise ConfigError(
                f"{folder} was started with {key} {getattr(saved, key)}, not {given[key]}: leave "
                f"the option away to go on with it, or start a new run without --resume"
            )
    return saved.model_copy(update={key: given[key] for key in given.keys() & free})


def anchored(data: str) -> str:
    """DATA with its folder as an absolute path, so that a run can be resumed from anywhere."""
    from fullconv.formats import with_groups, without_groups

    text, rule = without_groups(data)
    kind, colon, path = text.rpartition(":")
    place, question, options = path.partition("?")
    if not place or not Path(place).exists():
        return data
    whole = f"{kind}{colon}{Path(place).resolve()}{question}{options}"
    return with_groups(whole, rule) if rule else whole


def stem(data: str) -> str:
    """A short name for a run on DATA: "photos" for /home/me/photos, "scenes" for scenes:200."""
    from fullconv.formats import without_groups

    kind, _, rest = without_groups(data)[0].partition("?")[0].partition(":")
    return kind if rest[:1].isdigit() else Path(rest or kind).name or "run"
