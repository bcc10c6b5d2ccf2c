"""Every setting, checked: what a network is built from, and how it is trained."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fullconv.errors import ConfigError

Level = Annotated[float, Field(ge=0, le=255)]
Spread = Annotated[float, Field(gt=0, le=255)]
Size = tuple[Annotated[int, Field(ge=1, le=65536)], Annotated[int, Field(ge=1, le=65536)]]
Upsampling = Literal["transposed", "bilinear", "bilinear-corners", "unpooling"]
Fusing = Literal["cascade", "sum"]


Checked = TypeVar("Checked", bound="Settings")


class Settings(BaseModel):
    """Settings that cannot change and know no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def checked(cls: type[Checked], **values: Any) -> Checked:
        """The settings, or a `ConfigError` that names the wrong ones in a sentence each."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(explain(error, cls)) from error


class Architecture(Settings):
    """What a network is built from; stands in the header of its model file."""

    name: str = Field(max_length=200)
    classes: int = Field(ge=1, le=1000)
    padding: Literal["same"] | Annotated[int, Field(ge=1, le=512)] = "same"
    width: float = Field(1.0, gt=0, le=8)
    hidden: int | None = Field(None, ge=1, le=16384)
    upsampling: Upsampling = "transposed"
    learn_upsampling: bool = False
    fusing: Fusing = "cascade"
    skip_scales: tuple[float, ...] | None = Field(None, max_length=8)
    context: int | None = Field(None, ge=1, le=4096)
    skip_context: int | None = Field(None, ge=1, le=4096)


class Normalization(Settings):
    """What the first convolution expects: mean and std in [0, 255], RGB order; channel order."""

    mean: tuple[Level, Level, Level]
    std: tuple[Spread, Spread, Spread]
    order: Literal["rgb", "bgr"] = "rgb"


class Stage(Settings):
    """One of the trainings before the last: a coarser network, from which the next one begins."""

    stride: Literal[32, 16, 8, 4]  # of its network: 32 is FCN-32s
    lr: float | None = Field(None, gt=0, le=100)  # None: the run's
    epochs: int | None = Field(None, ge=1, le=100_000)  # None: the run's, or its steps


class TrainConfig(Settings):
    """One training run. A run folder's config.yaml holds it, resolved; `--config` takes it back."""

    recipe: str | None = None  # where the settings come from; None: modern
    stages: tuple[Stage, ...] = Field((), max_length=5)  # coarser networks that come first

    model: str = "fcn8s-vgg16_bn"
    weights: str | None = None  # a file, or "imagenet"
    padding: Literal["same"] | Annotated[int, Field(ge=1, le=512)] = "same"
    width: float | None = Field(None, gt=0, le=8)  # None: 1 with weights, else a quarter
    hidden: int | None = Field(None, ge=1, le=16384)
    upsampling: Upsampling = "transposed"
    learn_upsampling: bool = False
    fusing: Fusing = "cascade"
    skip_scales: tuple[float, ...] | None = None
    context: int | None = Field(None, ge=1, le=4096)  # width of a 3x3 layer before score_fr
    skip_context: int | None = Field(None, ge=1, le=4096)  # likewise before the skips' scores

    epochs: int = Field(40, ge=1, le=100_000)
    steps: int | None = Field(None, ge=1, le=100_000_000)  # instead of epochs
    batch: int = Field(4, ge=1, le=4096)
    size: Size | None = None  # (height, width) that photos are scaled down to fit; None: never
    crop: Size | Literal["whole"] | None = None  # (height, width) of windows; None: typical size

    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float | None = Field(None, gt=0, le=100)  # of the mean loss; None: 0.01 SGD, 0.001 AdamW
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-4, ge=0, le=1)  # of weights, not of biases and norms
    bias_lr: float = Field(1.0, ge=0, le=100)  # the biases' rate over the weights'; Caffe: 2
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    warmup: int = Field(0, ge=0, le=1_000_000)  # steps
    backbone_lr: float | None = Field(None, ge=0, le=100)  # over the others'; None: see below
    accumulate: int = Field(1, ge=1, le=4096)  # parts that a batch is computed in, one by one
    clip: float | None = Field(None, gt=0)  # largest norm of all gradients together
    average: float = Field(0.0, ge=0, lt=1)  # decay of the weights' moving average; 0: none
    keep: Literal["best", "last"] = "best"  # which epoch's model the run is for
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # of convolutions, in training
    channels_last: bool = False
    sync_bn: bool = False  # batch norm over all processes' parts of a batch
    compile: bool = False

    loss: str = Field("cross-entropy", max_length=200)  # names with factors, joined by "+"
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # share spread evenly over all classes
    balance: Literal["none", "median-freq", "median-share", "enet", "sqrt-inv", "effective"] = (
        "none"  # weights of unequal classes in the loss; none is the paper's choice
    )
    unweigh: float = Field(0.0, ge=0, le=1)  # share of those weights that the answers take back

    flip: bool = True
    scale: tuple[float, float] = (0.75, 1.5)  # random zoom
    rotate: float = Field(0, ge=0, le=180)  # degrees, each way
    jitter: float = Field(0.2, ge=0, le=1)  # of brightness, contrast and saturation
    blur: float = Field(0, ge=0, le=50)  # pixels: the largest standard deviation of a Gaussian
    class_crops: float = Field(0, ge=0, le=1)  # share of windows around a rare class; needs crop

    track: tuple[str, ...] = Field((), max_length=8)  # trackers; results.csv is always written
    preflight: bool = True  # rehearse a few steps first, where the training is long enough
    seed: int = Field(0, ge=0, le=2**31 - 1)
    workers: int = Field(0, ge=0, le=256)
    evaluate_every: int = Field(1, ge=1)  # epochs; the last is always evaluated
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")

    @property
    def window(self) -> Size | None:
        """(height, width) of the training windows; None is the whole photo."""
        return None if self.crop == "whole" else self.crop

    @property
    def backbone_factor(self) -> float:
        """The backbone's rate over the others': a quarter where it has learned before."""
        if self.backbone_lr is not None:
            return self.backbone_lr
        return 0.25 if self.weights else 1.0

    @property
    def learning_rate(self) -> float:
        """The rate at the top of the schedule."""
        return self.lr if self.lr is not None else {"sgd": 1e-2, "adamw": 1e-3}[self.optimizer]

    @property
    def architecture_settings(self) -> dict[str, Any]:
        """The part that `create_model` takes."""
        keys = Architecture.model_fields.keys() & type(self).model_fields.keys()
        settings = {key: getattr(self, key) for key in keys}
        # A quarter of VGG's width is what a CPU can train from scratch in minutes. Other libraries'
        # networks come in one width.
        ours = re.match(r"fcn\d+s-(vgg|alexnet)", self.model)
        default = 0.25 if ours and not self.weights else 1.0
        return settings | {"width": self.width if self.width is not None else default}


class RunConfig(TrainConfig):
    """What a run folder's config.yaml holds: the data set, and how the training goes."""

    data: str


def to_yaml(values: dict[str, Any]) -> str:
    """Settings as YAML, in their order."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's settings.

    Raises:
        ConfigError: the file is missing or is no mapping of names to plain values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML that can be read ({error})") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path}: expected settings as `name: value` lines")
    return values


def explain(error: ValidationError, settings: type[BaseModel]) -> str:
    """A validation error as one sentence a wrong setting."""
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"][:1])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(settings.model_fields)
            near = get_close_matches(name, settings.model_fields, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; there are: {known}"
            sentences.append(f"there is no setting {name!r}{meant}")
        else:
            reason = problem["msg"][0].lower() + problem["msg"][1:]
            sentences.append(f"{name} is {problem['input']!r}: {reason}")
    return "; ".join(dict.fromkeys(sentences))
