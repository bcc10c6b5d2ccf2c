"""The settings of the network in training, and of the weights that it starts from."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fullconv.config.base import Settings, depends
from fullconv.config.network import (
    UPSAMPLING_TEXT,
    Architecture,
    ContextSetting,
    FusingSetting,
    HiddenSetting,
    LearnUpsamplingSetting,
    PaddingSetting,
    PyramidSetting,
    SkipContextSetting,
    SkipScalesSetting,
    TopSetting,
    Upsampling,
    default_contexts,
    default_upsampling,
)

AUTO = "auto"
"""Value of a setting that is decided from the data and the machine."""
BACKBONE = "efficientnet_lite2"
"""Of the network that is trained unless another one is named; its weights come with fullconv."""
NONE = "none"
"""Value of `weights` for random ones."""


def _none_in_words(weights: Any) -> Any:
    """Return what settings files mean by null."""
    return NONE if weights is None else weights


class ModelSettings(Settings):
    """Model: the network, and the weights that it starts from."""

    model: str = Field(
        AUTO,
        description="Network: fcn{32,16,8,4,2}s-BACKBONE, e.g. fcn8s-resnet50; 'auto' is "
        "EfficientNet-Lite2 with the stride (8, 4 or 2) that the masks need.",
    )
    weights: Annotated[str, BeforeValidator(_none_in_words)] = Field(
        AUTO,
        description="Initial weights: a weights or model file; 'imagenet', which comes with "
        "fullconv for EfficientNet-Lite2 and is downloaded for others; 'none' for random ones; "
        "'auto' for ImageNet's if they can be had.",
    )
    padding: PaddingSetting = "same"
    width: float | None = Field(
        None,
        gt=0,
        le=8,
        description="Channel multiplier of VGG and AlexNet backbones; others have width 1.",
        json_schema_extra=depends("0.25 without weights, 1 with"),
    )
    hidden: HiddenSetting = None
    top: TopSetting = "block"
    upsampling: Upsampling | None = Field(
        None,
        description=UPSAMPLING_TEXT,
        json_schema_extra=depends("bilinear; transposed with another padding, or if it is learned"),
    )
    learn_upsampling: LearnUpsamplingSetting = False
    fusing: FusingSetting = "cascade"
    skip_scales: SkipScalesSetting = None
    context: ContextSetting = None
    skip_context: SkipContextSetting = None
    pyramid: PyramidSetting = None
    inputs: str | None = Field(
        None,
        max_length=400,
        description="Inputs beside the photo, separated by commas: each is the name of a folder "
        "beside the photos' folder, with a file of the same name for each photo. Values of more "
        "than 8 bits need a range that becomes [0, 255], linear or log: 'hha', "
        "'depth:log:500:10000'.",
        json_schema_extra=depends("the photo alone"),
    )
    late_fusion: bool = Field(
        False,
        description="A backbone of its own for the photo and for each of the inputs, whose scores "
        "are added, instead of one whose first convolution takes all channels.",
    )

    @property
    def architecture_settings(self) -> dict[str, Any]:
        """The settings that `create_model` takes."""
        keys = Architecture.model_fields.keys() & type(self).model_fields.keys()
        settings: dict[str, Any] = {key: getattr(self, key) for key in keys}
        if self.upsampling is None:
            settings["upsampling"] = default_upsampling(self.padding, self.learn_upsampling)
        context, skip_context = default_contexts(self.model)
        settings["context"] = context if self.context is None else self.context
        settings["skip_context"] = skip_context if self.skip_context is None else self.skip_context
        # A quarter of VGG's width is what a CPU can train from scratch in minutes. Other libraries'
        # networks come in one width.
        scalable = re.match(r"fcn\d+s-(vgg|alexnet)", self.model)
        default = 0.25 if scalable and self.weights in (AUTO, NONE) else 1.0
        return settings | {"width": self.width if self.width is not None else default}
