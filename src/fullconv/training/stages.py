"""The stages of a run: FCN-32s, FCN-16s and FCN-8s, each started from the one before."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fullconv.config import AUTO, RunConfig
from fullconv.errors import ConfigError
from fullconv.networks.fcn import parse_name
from fullconv.training.resolve import resolve
from fullconv.training.run.folder import Run
from fullconv.training.validation import open_splits

_STAGE = re.compile(r"stage-\d+-fcn.+")  # the folder of a stage
DECIDED = ("teacher_fingerprint", "parallel_parts")  # of each stage, when it is started


@dataclass(frozen=True)
class RunStage:
    """One training of a run.

    Attributes:
        run: its folder.
        config: its settings.
        initial: the model file that it starts from; None uses the weights of the settings.
    """

    run: Run
    config: RunConfig
    initial: Path | None = None

    def as_started(self) -> "RunStage":
        """Return the stage with what was decided when it was started, from its own config.yaml.

        The settings of a stage before the last follow from those of the run, which lack it.

        Raises:
            ConfigError: its config.yaml is damaged.
        """
        if not self.run.config.is_file():
            return self
        stored = RunConfig.checked(**self.run.read_config())
        changes = {name: value for name in DECIDED if (value := getattr(stored, name)) is not None}
        return replace(self, config=self.config.model_copy(update=changes))


def stages_of(config: RunConfig, folder: Path) -> Iterator[RunStage]:
    """Yield the trainings of a run in order; the last one is the run itself.

    Those before it have subfolders, and each stage starts from the best weights of the one before
    (paper, section 4.2).

    Raises:
        ConfigError: a run of several stages does not name its network.
    """
    if config.stages and config.model == AUTO:
        raise ConfigError("stages need the name of a network; give --model, e.g. fcn8s-vgg16")
    backbone = parse_name(config.model)[1] if config.stages else ""
    initial: Path | None = None
    for number, stage in enumerate(config.stages, 1):
        name = f"fcn{stage.stride}s-{backbone}"
        changes: dict[str, object] = {"model": name, "stages": (), "skip_scales": None, "plan": ()}
        changes |= {"minutes": config.own_minutes}
        changes |= {"lr": stage.lr} if stage.lr else {}
        changes |= {"epochs": stage.epochs, "steps": None, "minutes": None} if stage.epochs else {}
        run = Run(folder / f"stage-{number}-{name}")
        yield RunStage(run, config.model_copy(update=changes), initial)
        initial = run.best
    yield RunStage(Run(folder), config, initial)


def sized_for_last(config: RunConfig) -> RunConfig:
    """Return the settings of a run of several stages with the size of photos and crops decided.

    All stages have the same, chosen for the network that the run ends with: the coarser ones before
    it would ask for larger photos.
    """
    if not config.stages:
        return config
    return resolve(config, open_splits(config.data, config.train_on)[0])[0]


def run_of_stage(run: Run) -> Run | None:
    """Return the run that a folder is a stage of; None if it is a run itself."""
    folder = run.folder.resolve()
    whole = Run(folder.parent)
    return whole if _STAGE.fullmatch(folder.name) and whole.config.is_file() else None
