"""Every setting, checked: what a network is built from, and how it is trained."""

import re
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


class Normalisation(Settings):
    """What the first convolution expects: mean and std in [0, 255], RGB order; channel order."""

    mean: tuple[Level, Level, Level]
    std: tuple[Spread, Spread, Spread]
    order: Literal["rgb", "bgr"] = "rgb"


class TrainConfig(Settings):
    """One training run. A run folder's config.yaml holds it, resolved; `--config` takes it back."""

    model: str = "fcn8s-vgg16_bn"
    weights: str | None = None  # a file, or "imagenet"
    padding: Literal["same"] | Annotated[int, Field(ge=1, le=512)] = "same"
    width: float | None = Field(None, gt=0, le=8)  # None: 1 with weights, else a quarter
    hidden: int | None = Field(None, ge=1, le=16384)
    upsampling: Upsampling = "transposed"
    learn_upsampling: bool = False
    fusing: Fusing = "cascade"
    skip_scales: tuple[float, ...] | None = None

    epochs: int = Field(40, ge=1, le=100_000)
    steps: int | None = Field(None, ge=1, le=100_000_000)  # instead of epochs
    batch: int = Field(4, ge=1, le=4096)
    size: Size | None = None  # (height, width) that photos are scaled down to fit; None: never
    crop: Size | None = None  # (height, width) of the training windows; None: whole photos

    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float | None = Field(None, gt=0, le=100)  # of the mean loss; None: 0.01 SGD, 0.001 AdamW
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(1e-4, ge=0, le=1)  # of weights, not of biases and norms
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    warmup: int = Field(0, ge=0, le=1_000_000)  # steps
    backbone_lr: float = Field(1.0, ge=0, le=100)  # the backbone's rate over the others'

    balance: Literal["none", "median-freq", "median-share", "enet", "sqrt-inv", "effective"] = (
        "none"  # weights of unequal classes in the loss; none is the paper's choice
    )

    flip: bool = True
    scale: tuple[float, float] = (0.75, 1.5)  # random zoom
    jitter: float = Field(0.2, ge=0, le=1)  # of brightness, contrast and saturation

    seed: int = Field(0, ge=0, le=2**31 - 1)
    workers: int = Field(0, ge=0, le=256)
    evaluate_every: int = Field(1, ge=1)  # epochs; the last is always evaluated
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")

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
            sentences.append(f"there is no setting {name!r}; there are: {known}")
        else:
            reason = problem["msg"][0].lower() + problem["msg"][1:]
            sentences.append(f"{name} is {problem['input']!r}: {reason}")
    return "; ".join(dict.fromkeys(sentences))
