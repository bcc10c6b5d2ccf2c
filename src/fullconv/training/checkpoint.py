"""Checkpoints: the model, the optimizer state, the EMA and the step, in one safetensors file."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fullconv.errors import WeightsError
from fullconv.inference.model_file import OPTIMIZER, Card, read_all_tensors, read_card
from fullconv.model import Model, write_model
from fullconv.networks.fcn import FCN

EMA_PREFIX = "ema."  # of the names of the averaged tensors, after OPTIMIZER


def save_checkpoint(
    path: Path,
    model: Model,
    optimizer: Optimizer,
    ema: Mapping[str, Tensor] | None = None,
    **training: Any,
) -> None:
    """Write the state after a step; an existing file is replaced atomically.

    The file that is replaced is kept as previous.safetensors, in case the new one gets damaged.

    Args:
        path: e.g. last.safetensors.
        model: the model in training.
        optimizer: the optimizer of its parameters.
        ema: averaged tensors by name.
        training: plain values that resuming needs, such as `step`; stored in the header.
    """
    tensors = dict(_optimizer_tensors(model.network, optimizer))
    tensors |= {f"{EMA_PREFIX}{name}": value for name, value in (ema or {}).items()}
    write_model(path, model, tensors, previous_checkpoint(path), **training)


def previous_checkpoint(path: Path) -> Path:
    """Return where the checkpoint before the one at `path` is kept."""
    return path.with_name("previous.safetensors")


def remove_previous(path: Path) -> None:
    """Remove the checkpoint before the one at `path`, which a finished run needs no more."""
    previous_checkpoint(path).unlink(missing_ok=True)


def choose_checkpoint(path: Path) -> tuple[Path | None, str]:
    """Return the checkpoint to resume from, and a note if that is not the latest.

    Args:
        path: the latest, last.safetensors. It is read as a whole, and so is the one before it if
            the latest is damaged or missing.

    Returns:
        None, "" if there is no checkpoint yet.

    Raises:
        WeightsError: both are damaged.
    """
    previous = previous_checkpoint(path)
    fault = f"{path} is missing"
    if path.exists():
        fault = _fault(path)
    elif not previous.exists():
        return None, ""
    if not fault:
        return path, ""
    if previous.exists() and not _fault(previous):
        step = read_card(previous).training.get("step")
        return previous, f"{fault}: resuming from step {step}, by {previous.name}"
    raise WeightsError(
        f"{fault}, and there is no sound {previous.name} beside it; start a new run without "
        "--resume, or restore one of the two files"
    )


def stored_card(path: Path) -> Card | None:
    """Return the header of the checkpoint to resume from, or of the one before it; None if none.

    Only headers are read; `choose_checkpoint` reports what is damaged.
    """
    for file in (path, previous_checkpoint(path)):
        with suppress(WeightsError):
            return read_card(file)
    return None


def describe_as(network: FCN, card: Card) -> None:
    """Give a network what a checkpoint has of the initial weights' file beside the weights.

    That is the normalization of images and the factors of skips.
    """
    network.normalization = card.normalization
    factors = card.architecture.skip_scales
    if factors and network.architecture:
        network.skip_scales = dict(zip(network.skips, factors, strict=False))
        changes = {"skip_scales": factors}
        network.architecture = network.architecture.model_copy(update=changes)


def _fault(path: Path) -> str:
    """Return what is wrong with a checkpoint; "" if it can be used."""
    try:
        read_card(path)
        read_all_tensors(path, lambda name: False)
    except WeightsError as error:
        return str(error).partition(";")[0]
    return ""


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
    stored = read_all_tensors(path)
    weights = {name: value for name, value in stored.items() if not name.startswith(OPTIMIZER)}
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"{path}: the weights belong to another network: {error}") from error
    for name, parameter in model.network.named_parameters():
        state = _with_prefix(stored, f"{OPTIMIZER}{name}/")
        if state:
            # A scalar, such as Adam's step count, stays on the CPU, as the optimizer keeps it; the
            # others need the weight's memory layout, which a fused optimizer does not check.
            optimizer.state[parameter] = {
                key: torch.empty_like(parameter).copy_(value) if value.ndim else value
                for key, value in state.items()
            }
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
