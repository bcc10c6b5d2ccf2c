"""All settings, validated: what a network is built from, and how it is trained."""

from fullconv.config.base import Settings, explain
from fullconv.config.groups import Factor, Size, Stage
from fullconv.config.network import Architecture, Fusing, Normalization, Upsampling
from fullconv.config.reference import default_of, help_text, settings_reference
from fullconv.config.training import RunConfig, TrainConfig

__all__ = [
    "Architecture",
    "Factor",
    "Fusing",
    "Normalization",
    "RunConfig",
    "Settings",
    "Size",
    "Stage",
    "TrainConfig",
    "Upsampling",
    "default_of",
    "explain",
    "help_text",
    "settings_reference",
]
