"""Which parameters learn how fast: the optimiser's groups, and the rate's way down."""

import math
from collections.abc import Callable

import torch
from torch import nn

from fullconv.config import TrainConfig


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with momentum or AdamW; biases and norms do not decay, the backbone has its own rate.

    Biases may have theirs too, as in Caffe. A rate of zero leaves the weights as they are, and
    nothing is computed for them.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = config.backbone_factor if name.startswith("backbone.") else 1.0
        factor *= config.bias_lr if name.endswith("bias") else 1.0
        if not factor:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            kind = (factor, config.weight_decay if parameter.ndim > 1 else 0.0)
            groups.setdefault(kind, []).append(parameter)
    settings = [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in sorted(groups.items())
    ]
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(settings, rate, momentum=config.momentum)
    return torch.optim.AdamW(settings, rate)


def schedule(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate at a step, as a share of the highest."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    share = (step - config.warmup) / max(1, steps - config.warmup)
    curves: dict[str, Callable[[float], float]] = {
        "poly": lambda share: (1 - share) ** 0.9,
        "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
        "constant": lambda share: 1.0,
    }
    return float(curves[config.schedule](share))
