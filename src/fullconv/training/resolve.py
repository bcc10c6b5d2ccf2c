"""Decide the settings that were left open, from the training data."""

from fullconv.config import RunConfig
from fullconv.data.sample import Data
from fullconv.data.transforms import fit

LARGE = 640 * 640  # pixels of a typical image above which images are downscaled
DOWNSCALED = (512, 512)  # the size that they are then fitted into


def resolve_settings(config: RunConfig, data: Data) -> RunConfig:
    """Return the settings with every open one decided, so they reproduce the run."""
    changes: dict[str, object] = {
        "lr": config.learning_rate,
        "backbone_lr_mult": config.backbone_factor,
        "width": config.architecture_settings["width"],
    }
    size, scale = config.size, config.input_scale or 1.0
    changes["input_scale"] = scale
    if size is None and config.crop is None:
        height, width = typical_size(data)
        size = DOWNSCALED if height * width > LARGE else None
        changes["size"] = size
    if config.crop is None:
        changes["crop"] = typical_size(data, size, scale)
    return config.model_copy(update=changes)


def typical_size(
    data: Data, size: tuple[int, int] | None = None, scale: float = 1.0
) -> tuple[int, int]:
    """Return the median height and width of about nine samples, fitted into `size` and scaled."""
    indices = range(0, len(data), max(1, len(data) // 9))
    shapes = [fit(data[index], size, scale).labels.shape for index in indices]
    height, width = (sorted(sides)[len(sides) // 2] for sides in zip(*shapes, strict=True))
    return height, width
