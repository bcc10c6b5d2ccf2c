"""What a run decides from its data: the settings left open, its stages, what it is measured on."""

from collections.abc import Iterator
from pathlib import Path

from fullconv.config import RunConfig
from fullconv.data.formats import open_data
from fullconv.data.sample import Data
from fullconv.data.transforms import fit
from fullconv.errors import NoSplitError
from fullconv.networks.fcn import parse_name
from fullconv.training.run.folder import Run

LARGEST = 640 * 640  # pixels of a typical photo above which photos are scaled down
WORKING = (512, 512)  # what they are then fitted into
NO_SPLIT = "no val split, so measured on the training photos"


def resolved(config: RunConfig, data: Data) -> RunConfig:
    """The settings with all that was left open decided, from the data: they can be run again."""
    changes: dict[str, object] = {
        "lr": config.learning_rate,
        "backbone_lr": config.backbone_factor,
    }
    changes["width"] = config.architecture_settings["width"]
    size = config.size
    if size is None and config.crop is None:
        typical = typical_size(data)
        size = WORKING if typical[0] * typical[1] > LARGEST else None
        changes["size"] = size
    if config.crop is None:
        changes["crop"] = typical_size(data, size)
    return config.model_copy(update=changes)


def in_stages(config: RunConfig, folder: Path) -> Iterator[tuple[Run, RunConfig, Path | None]]:
    """The trainings that a run consists of: folder, settings, and the model that it begins with.

    The last is the run itself; those before it have folders of their own inside it, and each
    begins with the best weights of the one before (paper, section 4.2).
    """
    _, backbone = parse_name(config.model)
    begin: Path | None = None
    for number, stage in enumerate(config.stages, 1):
        name = f"fcn{stage.stride}s-{backbone}"
        changes: dict[str, object] = {"model": name, "stages": (), "skip_scales": None}
        changes |= {"lr": stage.lr} if stage.lr else {}
        changes |= {"epochs": stage.epochs, "steps": None} if stage.epochs else {}
        run = Run(folder / f"stage-{number}-{name}")
        yield run, config.model_copy(update=changes), begin
        begin = run.best
    yield Run(folder), config, begin


def typical_size(data: Data, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The middle height and width of a few samples, once fitted into `size`."""
    some = range(0, len(data), max(1, len(data) // 9))
    shapes = [fit(data[index], size).labels.shape for index in some]
    height, width = (sorted(sides)[len(sides) // 2] for sides in zip(*shapes, strict=True))
    return height, width


def validation(source: str, train: Data) -> tuple[Data, str]:
    """The val split, or where there is none the training samples and a note that says why.

    Raises:
        DataError: there is a val split, but it cannot be opened.
    """
    try:
        val = open_data(source, "val")
    except NoSplitError as error:
        return train, f"; {NO_SPLIT} ({error})"
    return (val, "") if len(val) else (train, f"; {NO_SPLIT}")
