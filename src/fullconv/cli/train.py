"""fullconv train: train a network on images and masks."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.cli import NEWEST
from fullconv.cli import _train_options as options
from fullconv.cli._console import say, write_json
from fullconv.cli._options import GroupBy, Json, Out, Quiet
from fullconv.cli._signals import exit_on_signal
from fullconv.cli._train_config import (
    Duration,
    duration_of,
    new_settings,
    resumed_settings,
    run_name,
    with_duration,
)
from fullconv.cli._train_line import activity
from fullconv.cli._train_progress import train_stages
from fullconv.io.commands import pasted

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
    # Before PyTorch is imported and data is read: a job's limit counts from its start.
    deadline = math.inf if max_seconds is None else time.monotonic() + max_seconds
    from fullconv.training.distributed import init_distributed

    with init_distributed(given.get("device", "auto")) as group:
        given = options.with_settings(given, settings or ())
        data = _data_of(given, config)
        further = duration_of(given)
        run = None if resume is None else _find_run(resume, out, name, group, data, further)
        if run:
            first = None
            run_config, further = resumed_settings(run, given, config, group_by)
            if further and not run.last.is_file():
                run_config, further = _planned_anew(run, run_config, further, group), None
        else:
            new, further = new_settings(given, config, group_by), None
            with activity("reading the data set", quiet or not group.is_main):
                first, run_config = prepare(new, group)
            # The folder is created only now that all settings proved to be valid.
            run = _create_run(out, name or run_name(run_config.data), run_config, group)
        evaluation = train_stages(run_config, run, first, group, quiet, deadline, further)
    if evaluation:
        write_json(json, {"run": str(run.folder), **evaluation.to_dict()})


def prepare(config: "RunConfig", group: "ProcessGroup") -> "tuple[Experiment, RunConfig]":
    """Build the first stage; return it and the run's settings with all open ones decided."""
    from fullconv.config import AUTO
    from fullconv.training.experiment import Experiment
    from fullconv.training.plan import resolve_duration
    from fullconv.training.resolve_network import planned_download
    from fullconv.training.stages import sized_for_last, stages_of

    config = sized_for_last(resolve_duration(config))
    first_config = next(stages_of(config, Path())).config
    if group.is_main and (download := planned_download(first_config)):
        say(f"note   {download}")
    first = Experiment(first_config, group=group)
    decided = ["width", "size", "input_scale", "crop", "batch", "weights"]
    decided += [
        "backbone_lr_mult",
        "freeze_bn",
        "upsampling",
        "context",
        "skip_context",
        "channels_last",
        "teacher_fingerprint",
    ]
    decided += ["model"] if config.model == AUTO else []  # of a staged run each stage has its own
    changes: dict[str, Any] = {key: getattr(first.config, key) for key in decided}
    config = config.model_copy(update=changes)
    return first, config.model_copy(update={"lr": config.learning_rate})


def _data_of(given: dict[str, Any], config: Path | None) -> str | None:
    """Return the DATA that a new run would have: the command's, or the settings file's."""
    from fullconv.io.settings_file import read_settings

    return given.get("data") or (read_settings(config) if config else {}).get("data")


def _find_run(
    resume: str,
    out: Path,
    name: str | None,
    group: "ProcessGroup",
    data: str | None = None,
    further: Duration = None,
) -> "Run | None":
    """Return the run to resume, or None if the newest is asked for and none is unfinished.

    With a duration and without data, it is the newest run, finished or not.

    Raises:
        ConfigError: the run is finished, or no run is unfinished and no data is given.
    """
    from fullconv.training.run.folder import Run, find_newest, open_run

    if resume not in (NEWEST, "auto"):
        run = open_run(Path(resume))
        _check_whole(run)
        if not further:
            _check_unfinished(run)
        if group.is_main and run.folder.resolve().parent.name == "train":
            run.point_latest()  # a kill may have come before that
        return run
    # Only the main process looks for it: on other machines it may appear later.
    finished = bool(further) and data is None
    found = find_newest(out, name=name, finished=finished) if group.is_main else None
    if found:
        found.point_latest()
    folder = group.broadcast_text(str(found.folder) if found else "")
    if not folder:
        _say_nothing_unfinished(out, name, group, data)
    return Run(Path(folder)) if folder else None


def _check_whole(run: "Run") -> None:
    """Raise a ConfigError if a run that is to be resumed is a stage of another one."""
    from fullconv.errors import ConfigError
    from fullconv.training.stages import run_of_stage

    if whole := run_of_stage(run):
        raise ConfigError(
            f"{run.folder} is a stage of the run {whole.folder}, whose other stages follow from "
            f"it; resume that one: {pasted('fullconv', 'train', '--resume', whole.folder)}"
        )


def _check_unfinished(run: "Run") -> None:
    """Raise a ConfigError if a run that is to be resumed has ended."""
    from fullconv.errors import ConfigError

    if run.finished:
        longer = pasted("--resume", run.folder, "--minutes", 10)
        raise ConfigError(
            f"{run.folder} is finished, so there is nothing to resume; train it further with "
            f"{longer} (or --epochs, --steps), or start a new run from its weights: "
            f"{pasted('fullconv', 'train', 'DATA', '--weights', run.best)}"
        )


def _planned_anew(
    run: "Run", config: "RunConfig", duration: tuple[str, float], group: "ProcessGroup"
) -> "RunConfig":
    """Return the settings of a run without a checkpoint, with another duration.

    Raises:
        ConfigError: one of its stages has begun.
    """
    from fullconv.errors import ConfigError

    if any(run.folder.glob("stage-*/*.safetensors")):
        raise ConfigError(
            f"{run.folder} has not reached its last stage, and only that one can get another "
            f"duration; resume it without --{duration[0]} first"
        )
    config = with_duration(config, duration)
    if group.is_main:
        run.write_config(config.model_dump(mode="json"))
    return config


def _say_nothing_unfinished(
    out: Path, name: str | None, group: "ProcessGroup", data: str | None
) -> None:
    """Say that a new run starts, or raise a ConfigError if there is no data for it."""
    from fullconv.errors import ConfigError

    named = f" named {name}" if name else ""
    missing = f"there is no unfinished run{named} in {out / 'train'}"
    if data is None:
        raise ConfigError(
            f"{missing}, so there is nothing to resume; name one (--resume RUN), say where runs "
            "are (--out DIR), or start a new run: fullconv train DATA"
        )
    if group.is_main:
        say(f"note   {missing}: starting a new one")


def _create_run(out: Path, name: str, config: "RunConfig", group: "ProcessGroup") -> "Run":
    """Create a run folder with its config.yaml, in the main process."""
    from fullconv.training.run.folder import Run, create_run

    folder = ""
    if group.is_main:
        folder = str(create_run(out, "train", name, config.model_dump(mode="json")).folder)
    return Run(Path(group.broadcast_text(folder)))
