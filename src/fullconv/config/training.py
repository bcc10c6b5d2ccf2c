"""`TrainConfig`: how a network is trained. All groups of settings in one flat set of names."""

from typing import Self

from pydantic import Field, model_validator

from fullconv.config.duration import DurationSettings
from fullconv.config.groups import (
    AugmentationSettings,
    DataSettings,
    OptimizationSettings,
    RunSettings,
    Size,
)
from fullconv.config.model import AUTO, NONE, ModelSettings


# pydantic lists the fields of the last base class first.
class TrainConfig(
    RunSettings,
    OptimizationSettings,
    DurationSettings,
    AugmentationSettings,
    DataSettings,
    ModelSettings,
):
    """The settings of one training, in groups but with one flat set of names.

    `config.yaml` in a run folder holds them with every default resolved; `--config` reads them.
    """

    @model_validator(mode="after")
    def _keeps_the_last(self) -> Self:
        if self.train_on == "train+val" and self.keep != "last":
            raise ValueError(
                "train_on is train+val, so no images are left to choose the best epoch by; "
                "expected keep: last, with a duration that was fixed beforehand"
            )
        return self

    @model_validator(mode="after")
    def _crops_to_place(self) -> Self:
        if self.class_crops and self.crop == "whole":
            raise ValueError(
                f"class_crops is {self.class_crops:g}, but crop is whole, so there are no crops "
                "that could be placed on a class; set crop, e.g. 224x224, or leave out class_crops"
            )
        return self

    @property
    def crop_size(self) -> Size | None:
        """(height, width) of the training crops; None is the whole image."""
        return None if self.crop == "whole" else self.crop

    @property
    def backbone_factor(self) -> float:
        """Learning-rate multiplier of the backbone; a pretrained one defaults to a quarter."""
        if self.backbone_lr_mult is not None:
            return self.backbone_lr_mult
        return 1.0 if self.weights in (AUTO, NONE) else 0.25

    @property
    def freezes_bn(self) -> bool:
        """Whether the backbone's batch norm keeps its statistics; a pretrained one does."""
        return self.weights not in (AUTO, NONE) if self.freeze_bn is None else self.freeze_bn

    @property
    def learning_rate(self) -> float:
        """Peak learning rate of the schedule."""
        if self.lr is not None:
            return self.lr
        adamw = 1e-3 if self.weights in (AUTO, NONE) else 2e-3
        return {"sgd": 1e-2, "adamw": adamw}[self.optimizer]


class RunConfig(TrainConfig):
    """The settings of a run: the data set, and how it is trained on. Stored in config.yaml."""

    data: str = Field(
        description="Data set: a folder of images and masks, FORMAT:PATH, samples:nuclei "
        "(included photos), or scenes:N (N synthetic street scenes)."
    )


GROUPS = (
    ModelSettings,
    DataSettings,
    AugmentationSettings,
    DurationSettings,
    OptimizationSettings,
    RunSettings,
)
