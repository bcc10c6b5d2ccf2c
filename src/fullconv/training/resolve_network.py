"""Decide the network of a training and its initial weights where the settings leave them open."""

from typing import Any, TypeVar

from fullconv.config import AUTO, BACKBONE, NONE, TrainConfig
from fullconv.data.sample import Data
from fullconv.errors import WeightsError
from fullconv.networks.fcn import parse_name
from fullconv.training.choose_stride import choose_stride
from fullconv.weights.imagenet import IMAGENET, Published, published_weights, unpublished

Config = TypeVar("Config", bound=TrainConfig)
RANDOM = "the network starts from random weights"


def resolve_network(
    config: Config, data: Data, find_weights: bool = True
) -> tuple[Config, tuple[str, ...]]:
    """Return the settings with network and weights decided, and a sentence for each decision.

    ImageNet weights that are not on this machine are downloaded; `planned_download` names them.

    Args:
        config: with `size` and `input_scale` decided, since the stride is chosen at the size that
            training uses.
        data: the training samples.
        find_weights: False if the network gets its weights from another file, such as a checkpoint.

    Raises:
        WeightsError: `weights` is "imagenet", and there are none or they cannot be had.
    """
    notes = []
    if config.model == AUTO:
        stride, note = choose_stride(data, config.size, config.input_scale or 1.0)
        config = config.model_copy(update={"model": f"fcn{stride}s-{BACKBONE}"})
        notes.append(note)
    if find_weights and config.weights in (AUTO, IMAGENET):
        weights, note = _choose_weights(config)
        config = config.model_copy(update={"weights": weights})
        notes.append(note)
    is_default = parse_name(config.model)[1] == BACKBONE
    settings = config.architecture_settings
    changes: dict[str, Any] = {key: settings[key] for key in _DECIDED}
    changes["backbone_lr_mult"] = config.backbone_factor
    changes["lr"] = config.learning_rate
    changes["freeze_bn"] = config.freezes_bn
    if config.channels_last is None:
        changes["channels_last"] = is_default
    return config.model_copy(update=changes), tuple(notes)


def frozen_at_random(config: TrainConfig) -> tuple[str, ...]:
    """Return a sentence if what is frozen is random; () if not.

    A settings file of a run with pretrained weights freezes batch norm, also with other weights.
    """
    if config.weights != NONE:
        return ()
    if not config.backbone_factor:
        return (
            f"{RANDOM}, of which those of the backbone stay as they are: backbone_lr_mult is 0",
        )
    if config.freezes_bn:
        return (
            f"{RANDOM}, but freeze_bn is true: batch norm, if there is any, does not normalize by "
            "the photos (--set freeze_bn=false)",
        )
    return ()


def planned_download(config: TrainConfig) -> str:
    """Return a sentence about the file that `resolve_network` will download, "" if none.

    Raises:
        WeightsError: `weights` is "imagenet", and there are none, or the server is out of reach.
    """
    if config.model == AUTO or config.weights not in (AUTO, IMAGENET):
        return ""
    published = _candidate(config)
    if isinstance(published, str) or published.file():
        return ""
    try:
        size = published.megabytes()
    except WeightsError:
        if config.weights == IMAGENET:
            raise
        return ""
    return (
        f"downloading {published.name} ({size:.0f} MB) from {published.origin}; "
        "--weights none starts from random weights instead"
    )


_DECIDED = ("width", "upsampling", "context", "skip_context")


def _choose_weights(config: TrainConfig) -> tuple[str, str]:
    """Return "imagenet" or "none", with a sentence that says why."""
    published = _candidate(config)
    if isinstance(published, str):
        reason = published
    else:
        try:
            path = published.file() or published.download()
            return IMAGENET, f"ImageNet weights: {path.name} of {published.origin}"
        except WeightsError as error:
            if config.weights == IMAGENET:
                raise
            reason = str(error)
    return NONE, f"{RANDOM}: {reason}"


def _candidate(config: TrainConfig) -> Published | str:
    """Return the published weights of the network, or why it has none.

    Raises:
        WeightsError: `weights` is "imagenet", and there are none.
    """
    backbone = parse_name(config.model)[1]
    if config.weights == AUTO and config.width not in (None, 1):
        return f"none are published for width {config.width:g}"
    published = published_weights(backbone)
    if published is None and config.weights == IMAGENET:
        raise unpublished(backbone)
    return published or f"none are published for {backbone}"
