"""fullconv train: train a network on images and masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.cli import NEWEST
from fullconv.cli import _train_options as options
from fullconv.cli._console import write_json
from fullconv.cli._options import GroupBy, Json, Out, Quiet
from fullconv.cli._signals import exit_on_signal
from fullconv.cli._train_config import new_settings, resumed_settings, run_name
from fullconv.cli._train_progress import train_stages

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.training.distributed import ProcessGroup
    from fullconv.training.experiment import Experiment
    from fullconv.training.run.folder import Run


@options.setting_options
@exit_on_signal()
def command(
    given: dict[str, Any],
    settings: options.AnySetting = None,
    config: options.Config = None,
    group_by: GroupBy = None,
    max_seconds: options.MaxSeconds = None,
    name: options.Name = None,
    out: Out = Path("runs"),
    resume: options.Resume = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on images and masks. The run folder gets the model and a report."""
    from fullconv.training.distributed import init_distributed

    with init_distributed(given.get("device", "auto")) as group:
        given |= options.parse_settings(settings or ())
        run = None if resume is None else _find_run(resume, out, name, group)
        if run:
            first, run_config = None, resumed_settings(run, given)
        else:
            first, run_config = prepare(new_settings(given, config, group_by), group)
            # The folder is created only now that all settings proved to be valid.
            run = _create_run(out, name or run_name(run_config.data), run_config, group)
        evaluation = train_stages(run_config, run, first, group, quiet, max_seconds)
    if evaluation:
        write_json(json, {"run": str(run.folder), **evaluation.to_dict()})


def prepare(config: "RunConfig", group: "ProcessGroup") -> "tuple[Experiment, RunConfig]":
    """Build the first stage; return it and the run's settings with all open ones decided."""
    from fullconv.training.experiment import Experiment
    from fullconv.training.stages import stages_of

    first = Experiment(next(stages_of(config, Path())).config, group=group)
    decided = ("width", "size", "crop", "backbone_lr_mult")
    changes: dict[str, Any] = {key: getattr(first.config, key) for key in decided}
    return first, config.model_copy(update=changes | {"lr": config.learning_rate})


def _find_run(resume: str, out: Path, name: str | None, group: "ProcessGroup") -> "Run | None":
    """Return the run to resume, or None if the newest is asked for and none is unfinished."""
    from fullconv.training.run.folder import Run, find_unfinished, open_run

    if resume not in (NEWEST, "auto"):
        run = open_run(Path(resume))
        if group.is_main and run.folder.resolve().parent.name == "train":
            run.point_latest()  # a kill may have come before that
        return run
    # Only the main process looks for it: on other machines it may appear later.
    found = find_unfinished(out, name=name) if group.is_main else None
    if found:
        found.point_latest()
    folder = group.broadcast_text(str(found.folder) if found else "")
    return Run(Path(folder)) if folder else None


def _create_run(out: Path, name: str, config: "RunConfig", group: "ProcessGroup") -> "Run":
    """Create a run folder with its config.yaml, in the main process."""
    from fullconv.training.run.folder import Run, create_run

    folder = ""
    if group.is_main:
        folder = str(create_run(out, "train", name, config.model_dump(mode="json")).folder)
    return Run(Path(group.broadcast_text(folder)))
