"""fullconv train: photos and masks in, a trained segmenter out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.cli import NEWEST
from fullconv.cli import _train_options as options
from fullconv.cli._console import write_json
from fullconv.cli._options import Device, GroupBy, Json, Out, Quiet, Size
from fullconv.cli._signals import leaving
from fullconv.cli._train_config import new_settings, same_settings, stem
from fullconv.cli._train_progress import follow_stages

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.training.distributed import ProcessGroup
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import Run


@leaving()
def command(
    data: options.Data = None,
    recipe: options.Recipe = None,
    group_by: GroupBy = None,
    model: options.Network = None,
    weights: options.Weights = None,
    padding: options.Padding = None,
    width: options.Width = None,
    hidden: options.Hidden = None,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    size: Size = None,
    crop: options.Crop = None,
    batch: options.Batch = None,
    lr: options.Rate = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    warmup: options.Warmup = None,
    upsampling: options.Upsampling = None,
    fusing: options.Fusing = None,
    loss: options.Loss = None,
    balance: options.Balance = None,
    learn_upsampling: options.LearnUpsampling = None,
    seed: options.Seed = None,
    workers: options.Workers = None,
    device: Device | None = None,
    config: options.Config = None,
    settings: options.AnySetting = None,
    max_seconds: options.MaxSeconds = None,
    name: options.Name = None,
    out: Out = Path("runs"),
    resume: options.Resume = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on photos and masks; writes OUT/train/NAME-001 with model and report."""
    given = options.settings_among(locals())

    from fullconv.evaluation.summary import numbers
    from fullconv.training.distributed import init_distributed

    with init_distributed(device or "auto") as team:
        given |= options.parse_settings(settings or ())
        run = None if resume is None else _found(resume, out, name, team)
        if run:
            first, wanted = None, same_settings(run, given)
        else:
            first, wanted = begun(new_settings(given, config, group_by), team)
            # A folder is made only now that nothing of what was given is wrong.
            run = _new_run(out, name or stem(wanted.data), wanted, team)
        evaluation = follow_stages(wanted, run, first, team, quiet, max_seconds)
    if evaluation:
        write_json(json, {"run": str(run.folder), **numbers(evaluation)})


def _found(resume: str, out: Path, name: str | None, team: "ProcessGroup") -> "Run | None":
    """The run to go on with; None where the newest is asked for, and none is unfinished.

    The first process looks for it: other machines may see it later.
    """
    from fullconv.training.run.folder import Run, existing, unfinished

    if resume not in (NEWEST, "auto"):
        return existing(Path(resume))
    found = unfinished(out, name=name) if team.is_main else None
    said = team.broadcast_text(str(found.folder) if found else "")
    return Run(Path(said)) if said else None


def _new_run(out: Path, name: str, config: "RunConfig", team: "ProcessGroup") -> "Run":
    """A new folder, made by the first process; its settings stand in it before all else."""
    from fullconv.training.run.folder import Run, create

    made = ""
    if team.is_main:
        made = str(create(out, "train", name, config.model_dump(mode="json")).folder)
    return Run(Path(team.broadcast_text(made)))


def begun(config: "RunConfig", team: "ProcessGroup") -> "tuple[Experiment, RunConfig]":
    """The first stage, built, and the run's settings with all that was left open decided."""
    from fullconv.training.experiment import Experiment
    from fullconv.training.stages import in_stages

    _, settings, _ = next(in_stages(config, Path()))
    first = Experiment(settings, team=team)
    decided = ("width", "size", "crop", "backbone_lr")
    changes: dict[str, Any] = {key: getattr(first.config, key) for key in decided}
    return first, config.model_copy(update=changes | {"lr": config.learning_rate})
