"""All settings, validated: what a network is built from, and how it is trained."""

from fullconv.config.base import Settings, explain
from fullconv.config.duration import Part, Stage
from fullconv.config.groups import Factor, Size
from fullconv.config.model import AUTO, BACKBONE, NONE
from fullconv.config.network import (
    RGB,
    Architecture,
    Classifier,
    Colors,
    Fusing,
    Head,
    Normalization,
    Top,
    Upsampling,
    default_contexts,
    default_upsampling,
    new_architecture,
)
from fullconv.config.reference import default_of, help_text, settings_reference
from fullconv.config.training import RunConfig, TrainConfig

__all__ = [
    "AUTO",
    "BACKBONE",
    "NONE",
    "RGB",
    "Architecture",
    "Classifier",
    "Colors",
    "Factor",
    "Fusing",
    "Head",
    "Normalization",
    "Part",
    "RunConfig",
    "Settings",
    "Size",
    "Stage",
    "Top",
    "TrainConfig",
    "Upsampling",
    "default_contexts",
    "default_of",
    "default_upsampling",
    "explain",
    "help_text",
    "new_architecture",
    "settings_reference",
]
