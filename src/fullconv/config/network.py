"""What a network is built from: its architecture and its input normalization."""

from typing import Annotated, Literal

from pydantic import Field

from fullconv.config.base import Settings, depends

Upsampling = Literal["transposed", "bilinear", "bilinear-corners", "unpooling"]
Fusing = Literal["cascade", "sum"]
ByteMean = Annotated[float, Field(ge=0, le=255)]
ByteStd = Annotated[float, Field(gt=0, le=255)]

# Each setting that an architecture and a training share is described once, here.
PaddingSetting = Annotated[
    Literal["same"] | Annotated[int, Field(ge=1, le=512)],
    Field(
        description="Padding of the first convolution: 'same', or a number of pixels on each side. "
        "The authors' weights need 100."
    ),
]
HiddenSetting = Annotated[
    int | None,
    Field(
        ge=1,
        le=16384,
        description="Channels of fc6 and fc7 (VGG and AlexNet backbones).",
        json_schema_extra=depends("4096 x width"),
    ),
]
UpsamplingSetting = Annotated[
    Upsampling,
    Field(
        description="Upsampling of the scores: 'transposed' convolutions initialized to bilinear "
        "interpolation (paper), 'bilinear', 'bilinear-corners' (align_corners), or max "
        "'unpooling' with the stored pooling indices (SegNet, DeconvNet)."
    ),
]
LearnUpsamplingSetting = Annotated[
    bool, Field(description="Train the transposed convolutions instead of freezing them.")
]
FusingSetting = Annotated[
    Fusing,
    Field(
        description="How skip scores are combined: 'cascade' upsamples to the next skip and adds "
        "(paper), 'sum' upsamples each to the image size and adds."
    ),
]
SkipScalesSetting = Annotated[
    tuple[float, ...] | None,
    Field(
        max_length=8,
        description="Constant factor of each skip's features before its score layer, coarsest "
        "skip first; the authors' at-once FCN-8s uses [0.01, 0.0001].",
        json_schema_extra=depends("1 for every skip"),
    ),
]
ContextSetting = Annotated[
    int | None,
    Field(
        ge=1,
        le=4096,
        description="Channels of an extra 3x3 convolution with batch norm and ReLU before "
        "score_fr, for backbones without fc6.",
        json_schema_extra=depends("no such layer"),
    ),
]
SkipContextSetting = Annotated[
    int | None,
    Field(
        ge=1,
        le=4096,
        description="Channels of an extra 3x3 convolution with batch norm and ReLU before each "
        "skip's score layer.",
        json_schema_extra=depends("no such layer"),
    ),
]


class Architecture(Settings):
    """What a network is built from; stored in the header of its model file."""

    name: str = Field(max_length=200)
    classes: int = Field(ge=1, le=1000)
    padding: PaddingSetting = "same"
    width: float = Field(1.0, gt=0, le=8)
    hidden: HiddenSetting = None
    upsampling: UpsamplingSetting = "transposed"
    learn_upsampling: LearnUpsamplingSetting = False
    fusing: FusingSetting = "cascade"
    skip_scales: SkipScalesSetting = None
    context: ContextSetting = None
    skip_context: SkipContextSetting = None


class Normalization(Settings):
    """What the first convolution expects: RGB mean and std in [0, 255], and the channel order."""

    mean: tuple[ByteMean, ByteMean, ByteMean]
    std: tuple[ByteStd, ByteStd, ByteStd]
    order: Literal["rgb", "bgr"] = "rgb"
