"""Parameter groups and learning-rate schedules."""

import math
from collections.abc import Callable

import torch
from torch import nn

from fullconv.config import TrainConfig


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Create SGD or AdamW over parameter groups with a `factor` (learning-rate multiplier) each.

    Biases and norm layers have no weight decay. Parameters with a multiplier of 0 are frozen: no
    gradient is computed for them.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = config.backbone_factor if name.startswith("backbone.") else 1.0
        factor *= config.bias_lr_mult if name.endswith("bias") else 1.0
        if not factor:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
    settings = [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in sorted(groups.items())
    ]
    # Fused: one call for all parameters, where most are small, instead of ten for each.
    fused = all(p.device.type == "cpu" for p in network.parameters())
    if config.optimizer == "sgd":
        lr, momentum = config.learning_rate, config.momentum
        return torch.optim.SGD(settings, lr, momentum=momentum, fused=fused)
    return torch.optim.AdamW(settings, config.learning_rate, fused=fused)


def schedule(config: TrainConfig, step: int, steps: int, warmup: int | None = None) -> float:
    """Return the learning rate at `step` (from 0) of `steps`, as a share of the peak.

    `warmup` replaces that of the settings.
    """
    warmup = config.warmup if warmup is None else warmup
    if step < warmup:
        return (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    curves: dict[str, Callable[[float], float]] = {
        "poly": lambda share: (1 - share) ** 0.9,
        "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
        "constant": lambda share: 1.0,
    }
    return float(curves[config.schedule](share))
