"""The training settings in groups, each with its default, range and description."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from fullconv.config.base import Settings, depends

Side = Annotated[int, Field(ge=1, le=65536)]
Factor = Annotated[float, Field(ge=0.05, le=20)]


def check_device(name: str) -> str:
    """Return the name of a device.

    Raises:
        ValueError: no device has this name.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?|mps", name):
        raise ValueError("expected auto, cpu, cuda, cuda:1 or mps")
    return name


def _in_order(zoom: tuple[float, float]) -> tuple[float, float]:
    if zoom[0] > zoom[1]:
        raise ValueError("expected the smaller number first")
    return zoom


def _split_size(value: Any) -> Any:
    """Return the sides of a size that is written as on the command line: 480x640."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,6})\s*[xX]\s*(\d{1,6})", value)):
        return int(match[1]), int(match[2])
    return value


Size = Annotated[tuple[Side, Side], BeforeValidator(_split_size)]


class DataSettings(Settings):
    """Data: image sizes, batches and the processes that load them."""

    size: Size | None = Field(
        None,
        description="Size (height x width) that larger images are downscaled to fit, keeping their "
        "aspect ratio.",
        json_schema_extra=depends("none"),
    )
    input_scale: Factor | None = Field(
        None,
        description="Working scale: factor that images are scaled by, after size, in training and "
        "prediction; scores are brought back to the image's own size.",
        json_schema_extra=depends(
            "1 with size or whole images, else chosen from the objects' sizes, the network's "
            "stride and receptive field, and the time"
        ),
    )
    crop: Size | Literal["whole"] | None = Field(
        None,
        description="Size (height x width) of random training crops, or 'whole' for whole images.",
        json_schema_extra=depends(
            "224x224 to 256x256 on a CPU, to 448x448 on a GPU, by the sizes of objects; down to "
            "160x160 for few minutes; the typical size of small images, and with size"
        ),
    )
    batch: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Batch size: images per step, over all processes.",
        json_schema_extra=depends("4, and up to 8 for smaller crops chosen for the data"),
    )
    train_on: Literal["train", "train+val"] = Field(
        "train",
        description="Splits to train on. With train+val no image is left to choose anything by: "
        "keep has to be last, the duration fixed beforehand, and metrics are those of val, whose "
        "images were trained on.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Data loader processes; 0 loads in the training process. The result is the "
        "same for any number.",
    )


class AugmentationSettings(Settings):
    """Augmentation: random changes to training images."""

    flip: bool = Field(True, description="Flip images horizontally with probability 0.5.")
    turn: bool | None = Field(
        None,
        description="Turn images by multiples of 90 degrees and mirror them: each of the eight "
        "orientations equally often (of crops that are not square, four). With flip: false they "
        "are turned only.",
        json_schema_extra=depends("true with flip, if neither masks nor light tell up from down"),
    )
    zoom: Annotated[tuple[Factor, Factor], AfterValidator(_in_order)] = Field(
        (0.75, 1.5), description="Range of the random zoom factor, log-uniform."
    )
    rotate: float = Field(
        0, ge=0, le=180, description="Largest random rotation, in degrees either way."
    )
    jitter: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Strength of random brightness, contrast and saturation changes (color "
        "jitter).",
    )
    blur: float = Field(
        0,
        ge=0,
        le=50,
        description="Largest standard deviation of a random Gaussian blur, in pixels.",
    )
    class_crops: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of crops that are placed on a pixel of a rare class; needs crop.",
    )


class OptimizationSettings(Settings):
    """Optimization: optimizer, learning rates, loss and averaging of the weights."""

    optimizer: Literal["sgd", "adamw"] = Field(
        "adamw", description="Optimizer: sgd (with momentum) or adamw."
    )
    lr: float | None = Field(
        None,
        gt=0,
        le=100,
        description="Peak learning rate, for a loss averaged over pixels.",
        json_schema_extra=depends("0.01 for sgd; for adamw 0.002 with weights, 0.001 without"),
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    weight_decay: float = Field(
        1e-4, ge=0, le=1, description="Weight decay; biases and norm layers have none."
    )
    bias_lr_mult: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Learning-rate multiplier of biases; Caffe's solvers use 2.",
    )
    backbone_lr_mult: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Learning-rate multiplier of the backbone; 0 freezes it.",
        json_schema_extra=depends("0.25 with weights, 1 without"),
    )
    freeze_bn: bool | None = Field(
        None,
        description="Freeze the statistics of the backbone's batch norm: it normalizes by those "
        "that it has instead of those of each batch. Its scales and shifts are still trained.",
        json_schema_extra=depends("true with weights, false without"),
    )
    schedule: Literal["poly", "cosine", "constant"] = Field(
        "poly", description="Learning-rate schedule; poly has power 0.9."
    )
    warmup: int = Field(0, ge=0, le=1_000_000, description="Steps of linear learning-rate warmup.")
    accumulate: int = Field(
        1,
        ge=1,
        le=4096,
        description="Gradient accumulation: parts that each batch is computed in, one after the "
        "other, to save memory.",
    )
    parallel_parts: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Parts of each batch whose backbone maps are computed at the same time on a "
        "CPU, each on its share of the cores. It has no effect on a GPU, in several processes and "
        "with compile.",
        json_schema_extra=depends(
            "on a CPU one per core, or fewer where cores would wait (a batch of 3 on two cores); 1 "
            "for backbones with dropout or with batch norm that is not frozen, and above 50 "
            "million weights"
        ),
    )
    clip: float | None = Field(
        None,
        gt=0,
        description="Gradient clipping: maximum global norm.",
        json_schema_extra=depends("no clipping"),
    )
    loss: str = Field(
        "cross-entropy",
        max_length=200,
        description="Loss: cross-entropy, cross-entropy-sum (paper), focal, dice, lovasz, ohem, a "
        "weighted sum such as focal+0.5*dice, or auto: cross-entropy, and +0.5*dice if a class has "
        "less than 5 % of the pixels. The modern recipe sets auto.",
    )
    final_loss: str | None = Field(
        None,
        max_length=200,
        description="Loss of the last part of the training, written as loss is, e.g. "
        "0.25*cross-entropy+0.75*lovasz.",
        json_schema_extra=depends("that of loss"),
    )
    final_loss_share: float = Field(
        0.3, gt=0, lt=1, description="Share of the steps, at the end, that use final_loss."
    )
    teacher: str | None = Field(
        None,
        description="Model whose predictions, averaged over its scales and flips, are learned "
        "beside the labels (distillation): a run folder, a model file or the name of a bundled "
        "model. They are computed once and kept in the cache.",
        json_schema_extra=depends("none"),
    )
    teacher_weight: float = Field(
        0.5, gt=0, le=1, description="Share of the teacher in the loss; the labels have the rest."
    )
    teacher_fingerprint: str | None = Field(
        None,
        max_length=64,
        description="Fingerprint of the teacher, by which a resumed run knows that it is the same.",
        json_schema_extra=depends("that of the teacher"),
    )
    head_weights: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None,
        max_length=16,
        description="Factor of each head's loss, for data sets with labels of several kinds, such "
        "as siftflow:FOLDER?head=semantic,geometric.",
        json_schema_extra=depends("1 for every head"),
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Label smoothing: share spread evenly over all classes."
    )
    balance: Literal[
        "none", "auto", "median-freq", "median-share", "enet", "sqrt-inv", "effective"
    ] = Field(
        "none",
        description="Class weights of the loss; none is the paper's choice; auto is enet with a "
        "logit_adjust of 0.75 if a class has less than 5 % of the pixels, else none. The modern "
        "recipe sets auto.",
    )
    logit_adjust: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Logit adjustment (Menon et al., 2021): factor of log(class weight) that is "
        "subtracted from the scores at inference; needs balance.",
        json_schema_extra=depends("0; 0.75 with the class weights of balance: auto"),
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay of the exponential moving average (EMA) of the weights, which is "
        "evaluated and saved; 0 disables it, the modern recipe sets 0.99.",
    )


class RunSettings(Settings):
    """Run: precision, devices and bookkeeping."""

    recipe: str | None = Field(
        None,
        description="Preset that all other settings start from: modern, paper-staged, "
        "paper-at-once, heavy, last-layer-only or course.",
        json_schema_extra=depends("modern"),
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Random seed of the initial weights, the sample order and the augmentation.",
    )
    keep: Literal["best", "last"] = Field(
        "best",
        description="Which model the run keeps: that of the epoch with the best mean IoU, or the "
        "last. Where evaluations leave out images of val and use fewer than 50, it is the last.",
    )
    device: Annotated[str, AfterValidator(check_device)] = Field(
        "auto",
        description="Device: auto, cpu, cuda, cuda:1 or mps.",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32",
        description="Mixed precision of the training: bf16 and fp16 compute convolutions in half "
        "precision and keep float32 weights.",
    )
    channels_last: bool | None = Field(
        None,
        description="Use the channels-last memory format.",
        json_schema_extra=depends("true for EfficientNet-Lite2, else false"),
    )
    sync_bn: bool = Field(
        False, description="Synchronize batch norm statistics across processes (GPUs only)."
    )
    compile: bool = Field(False, description="Compile the network with torch.compile.")
    preflight: bool = Field(
        True,
        description="Check the setup with a dry run of a few steps, which is rolled back, if the "
        "training has at least 50 steps or is planned in minutes.",
    )
    track: tuple[str, ...] = Field(
        (),
        max_length=8,
        description="Experiment trackers to log to: tensorboard, mlflow, trackio, wandb. "
        "results.csv is always written.",
    )
