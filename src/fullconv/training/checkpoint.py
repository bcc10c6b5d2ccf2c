"""Checkpoints: the model, the optimizer state, the EMA and the step, in one safetensors file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from fullconv.errors import WeightsError
from fullconv.inference.model_file import OPTIMIZER, read_card
from fullconv.model import Model, write_model

EMA_PREFIX = "ema."  # of the names of the averaged tensors, after OPTIMIZER


def save_checkpoint(
    path: Path,
    model: Model,
    optimizer: Optimizer,
    ema: Mapping[str, Tensor] | None = None,
    **training: Any,
) -> None:
    """Write the state after a step; an existing file is replaced atomically.

    Args:
        path: e.g. last.safetensors.
        model: the model in training.
        optimizer: the optimizer of its parameters.
        ema: averaged tensors by name.
        training: plain values that resuming needs, such as `step`; stored in the header.
    """
    tensors = dict(_optimizer_tensors(model.network, optimizer))
    tensors |= {f"{EMA_PREFIX}{name}": value for name, value in (ema or {}).items()}
    write_model(path, model, tensors, **training)


def load_checkpoint(
    path: Path, model: Model, optimizer: Optimizer
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Load a checkpoint into a model and an optimizer built from the same settings.

    Returns:
        The values that were saved as `training`, and the tensors that were saved as `ema`.

    Raises:
        WeightsError: the file is damaged, or belongs to another network.
    """
    training = read_card(path).training
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights = {name: value for name, value in stored.items() if not name.startswith(OPTIMIZER)}
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"{path}: the weights belong to another network: {error}") from error
    for name, parameter in model.network.named_parameters():
        state = _with_prefix(stored, f"{OPTIMIZER}{name}/")
        if state:
            # A scalar, such as Adam's step count, stays on the CPU, as the optimizer keeps it.
            moved = {k: v.to(parameter.device) if v.ndim else v for k, v in state.items()}
            optimizer.state[parameter] = moved
    return training, _with_prefix(stored, f"{OPTIMIZER}{EMA_PREFIX}")


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _optimizer_tensors(network: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                yield f"{name}/{key}", value
