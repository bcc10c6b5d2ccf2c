"""The state of a training in one atomic file: model, optimiser, and how many steps are done."""

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

AVERAGE = f"{OPTIMIZER}average."  # the moving average's tensors begin so


def save_checkpoint(
    path: Path,
    model: Model,
    optimizer: Optimizer,
    average: Mapping[str, Tensor] | None = None,
    **training: Any,
) -> None:
    """Write the state after some step.

    Args:
        path: the file, e.g. last.safetensors; the one before is replaced in one go.
        model: in training.
        optimizer: of the model's parameters.
        average: moving averages of the model's tensors, by their names.
        training: whole numbers and names that resuming needs, such as `step`.
    """
    tensors = dict(_optimizer_tensors(model.network, optimizer))
    for name, value in (average or {}).items():
        tensors[f"{AVERAGE.removeprefix(OPTIMIZER)}{name}"] = value
    write_model(path, model, tensors, **training)


def load_checkpoint(
    path: Path, model: Model, optimizer: Optimizer
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Put the state back into a model and optimiser built from the same settings.

    Returns:
        What was given as `training`, and as `average`, when it was saved.

    Raises:
        WeightsError: the file is damaged, or belongs to other settings.
    """
    training = read_card(path).training
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights = {name: value for name, value in stored.items() if not name.startswith(OPTIMIZER)}
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"{path}: its weights belong to another network: {error}") from error
    for name, parameter in model.network.named_parameters():
        prefix = f"{OPTIMIZER}{name}/"
        slots = {key.removeprefix(prefix): stored[key] for key in stored if key.startswith(prefix)}
        if slots:
            moved = {k: v.to(parameter.device) if v.ndim else v for k, v in slots.items()}
            optimizer.state[parameter] = moved
    average = {
        name.removeprefix(AVERAGE): value
        for name, value in stored.items()
        if name.startswith(AVERAGE)
    }
    return training, average


def _optimizer_tensors(network: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in network.named_parameters():
        for slot, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                yield f"{name}/{slot}", value
