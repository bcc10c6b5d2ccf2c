"""What a network is built from: its architecture and its input normalization."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from fullconv.config.base import Settings, depends
from fullconv.errors import ConfigError

Upsampling = Literal["transposed", "bilinear", "bilinear-corners", "unpooling"]
Top = Literal["block", "head"]
Fusing = Literal["cascade", "sum"]
MAX_CLASSES = 255  # labels of 8 bits, of which 255 is the ignore label
ByteMean = Annotated[float, Field(ge=0, le=255)]
ByteStd = Annotated[float, Field(gt=0, le=255)]
RGB = 3  # channels of a photo
MOST_CHANNELS = 64

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
TopSetting = Annotated[
    Top,
    Field(
        description="Feature that the coarsest scores are computed from: the backbone's last "
        "'block', or the classifier's 'head': in MobileNet and EfficientNet a 1x1 convolution to "
        "about four times as many channels."
    ),
]
UPSAMPLING_TEXT = (
    "Upsampling of the scores: 'bilinear' interpolation, 'transposed' convolutions initialized to "
    "it (paper), whose scores fade at the image's edges, 'bilinear-corners' (align_corners), or "
    "max 'unpooling' with the stored pooling indices (SegNet, DeconvNet)."
)
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
        ge=0,
        le=4096,
        description="Channels of an extra 3x3 convolution with batch norm and ReLU before "
        "score_fr, for backbones without fc6; 0 for no such layer.",
        json_schema_extra=depends("160 for EfficientNet-Lite2, else no such layer"),
    ),
]
_Channels = Annotated[int, Field(ge=0, le=4096)]
SkipContext = _Channels | Annotated[tuple[_Channels, ...], Field(min_length=1, max_length=8)]
SkipContextSetting = Annotated[
    SkipContext | None,
    Field(
        description="Channels of an extra 3x3 convolution with batch norm and ReLU before each "
        "skip's score layer: of all skips, or a list, coarsest skip first (with stride 2, e.g. "
        "[48, 48, 48, 16]); 0 for no such layer.",
        json_schema_extra=depends("48 for EfficientNet-Lite2, else no such layer"),
    ),
]

PyramidSetting = Annotated[
    int | None,
    Field(
        ge=0,
        le=1024,
        description="Pyramid pooling before score_fr: channels of each of four means of the "
        "feature, over sliding windows of 3, 5, 9 and 17 of its pixels; 0 for no such layer.",
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
    # These two are what files without the setting were made with.
    top: Top = "head"
    upsampling: Upsampling = "transposed"
    learn_upsampling: LearnUpsamplingSetting = False
    fusing: FusingSetting = "cascade"
    skip_scales: SkipScalesSetting = None
    context: ContextSetting = None
    skip_context: SkipContextSetting = None
    pyramid: PyramidSetting = None
    channels: int = Field(RGB, ge=RGB, le=MOST_CHANNELS)
    streams: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(None, min_length=2)

    @model_validator(mode="after")
    def _check_streams(self) -> Self:
        if self.streams and sum(self.streams) != self.channels:
            raise ValueError(
                f"streams {self.streams} take {sum(self.streams)} channels; the image has "
                f"{self.channels}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_later_settings(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out settings that came later, so that files without them keep their bytes."""
        values: dict[str, Any] = write(self)
        usual = {"channels": RGB, "streams": None, "pyramid": None}
        return {key: v for key, v in values.items() if key not in usual or v != usual[key]}


Byte = Annotated[int, Field(ge=0, le=255)]
Colors = tuple[tuple[Byte, Byte, Byte], ...]


class Head(Settings):
    """A range of a network's scores with classes of its own, such as geometry beside objects."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    classes: tuple[str, ...] = Field(min_length=1, max_length=MAX_CLASSES)
    palette: Colors = Field(max_length=MAX_CLASSES)


def check_names(classes: Sequence[str], heads: Sequence[Head] = ()) -> None:
    """Check the class names of a model, which are those of the first of several heads.

    Raises:
        ConfigError: they are not, there is one head, two have one name, a class name is not text
            or occurs twice, or there are more classes than 8-bit labels have values beside 255.
    """
    if len(classes) > MAX_CLASSES:
        raise ConfigError(
            f"{len(classes)} classes; expected at most {MAX_CLASSES}: labels are 8-bit numbers, of "
            "which 255 means no class"
        )
    names = [head.name for head in heads]
    if heads and (len(heads) < 2 or len(set(names)) < len(names)):
        raise ConfigError(f"heads {', '.join(names)}: expected two or more different names")
    if heads and heads[0].classes != tuple(classes):
        raise ConfigError(f"the classes are not those of the first head, {names[0]}")
    for group in (classes, *(head.classes for head in heads)):
        repeated = next((name for name, number in Counter(group).items() if number > 1), None)
        if repeated is not None:  # areas, metrics and files are by name: one of them would be lost
            raise ConfigError(f"two classes have the name {repeated!r}; expected different names")
    for name in classes:
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise ConfigError(f"the class name {name!r} is not valid text; no file can hold it")


class Classifier(Settings):
    """What an image classifier is built from: the settings that all of fullconv's own share."""

    name: str
    classes: int = Field(ge=1)
    width: float = Field(1.0, gt=0, le=8)
    hidden: HiddenSetting = None


class Normalization(Settings):
    """What the first convolution expects: mean and std in [0, 255], and the channel order.

    Attributes:
        mean: of each channel of the image: red, green, blue, then the others.
        std: likewise.
        order: of the first three channels.
    """

    mean: tuple[ByteMean, ...] = Field(min_length=RGB, max_length=MOST_CHANNELS)
    std: tuple[ByteStd, ...] = Field(min_length=RGB, max_length=MOST_CHANNELS)
    order: Literal["rgb", "bgr"] = "rgb"

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} channels and std {len(self.std)}")
        return self

    def for_channels(self, channels: int) -> "Normalization":
        """Return this normalization for an image of so many channels.

        Further channels get the mean of the means and of the stds, as their filters start as the
        mean of the filters of red, green and blue (see `networks.transplant`).
        """
        added = max(0, channels - len(self.mean))
        means, stds = (sum(values[:RGB]) / RGB for values in (self.mean, self.std))
        return Normalization(
            mean=(*self.mean, *[means] * added)[:channels],
            std=(*self.std, *[stds] * added)[:channels],
            order=self.order,
        )


def default_upsampling(padding: Literal["same"] | int, learned: bool) -> Upsampling:
    """Return how scores are upsampled unless a setting says so.

    Transposed convolutions add zeros around the scores. With the paper's padding they lie outside
    of the image; with "same" the scores would fade at its edges, where interpolation repeats them.
    """
    return "bilinear" if padding == "same" and not learned else "transposed"


def default_contexts(name: str) -> tuple[int, int]:
    """Return context and skip_context of a network by its name, unless settings say so."""
    # With 160 the network has less than 5 million parameters.
    return (160, 48) if name.endswith("-efficientnet_lite2") else (0, 0)


def new_architecture(name: str, classes: int, **settings: Any) -> Architecture:
    """Describe a network that is to be built, with the defaults of new ones.

    `Architecture` itself has the defaults of model files that lack a setting.

    Args:
        name: see `create_model`, as for the settings.
        classes: scores per pixel.
        settings: those that are None, or not given, get their default.

    Raises:
        ConfigError: a setting is unknown or out of its range.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    padding, learned = given.get("padding", "same"), given.get("learn_upsampling", False)
    context, skip_context = default_contexts(str(name))
    values: dict[str, Any] = {
        "top": "block",
        "upsampling": default_upsampling(padding, learned),
        "context": context,
        "skip_context": skip_context,
        **given,
    }
    for key in ("context", "skip_context", "pyramid"):
        values[key] = values.get(key) or None  # 0: no such layer
    return Architecture.checked(name=name, classes=classes, **values)
