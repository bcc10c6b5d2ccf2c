"""Decide the loss and the class weights where the settings leave them open, from the masks."""

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from fullconv.config import AUTO, TrainConfig
from fullconv.data.labels.class_weights import count_images, counted
from fullconv.data.labels.unusual_shares import unusual_shares
from fullconv.data.sample import Data
from fullconv.training.logit_adjustment import mixes_classes
from fullconv.training.losses import takes_weights

Config = TypeVar("Config", bound=TrainConfig)

NAMED = 3  # unusual masks, at most
RARE = 0.05  # share of the labelled pixels below which a class is rare
WEIGHTS, ADJUSTMENT = "enet", 0.75  # and how much of the weights is taken back in predictions
LOSS, LOSS_OF_RARE = "cross-entropy", "cross-entropy+0.5*dice"


def resolve_objective(config: Config, data: Data) -> tuple[Config, tuple[str, ...]]:
    """Return the settings with loss and class weights decided, and a sentence for each decision.

    A class with less than 5 % of the pixels is easily left out by the cross entropy, which then is
    nearly as low. So rare classes get class weights, of which predictions take three quarters back
    (see `logit_adjustment`), and the loss an overlap of each class, the Dice loss.
    """
    decided, notes = _from_masks(config, data)
    adjustment = {"logit_adjust": decided.logit_adjust or 0.0}
    return decided.model_copy(update=adjustment), notes


def _from_masks(config: Config, data: Data) -> tuple[Config, tuple[str, ...]]:
    """Return the settings with what is `auto` decided from the masks, and a sentence for each."""
    if AUTO not in (config.balance, config.loss):
        return config, ()
    if data.heads:  # class weights need predictions that take a part of them back, for one head
        plain = {"balance": "none", "loss": LOSS}
        kept = {name: given for name in plain if (given := getattr(config, name)) != AUTO}
        return config.model_copy(update=plain | kept), ()
    counts = count_images(data)[:, : len(data.classes)]
    rare = rare_classes(counts, data.classes, len(counts) == len(data))
    named = ", ".join(rare[:3]) + (", ..." if len(rare) > 3 else "")
    reason = f"since {named} {'is' if len(rare) == 1 else 'are'} below 5 % of the pixels"
    changes: dict[str, object] = {}
    notes = list(_unusual_masks(counts, data))
    loss, balance = config.loss, config.balance
    if loss == AUTO:
        changes["loss"] = loss = LOSS_OF_RARE if rare else LOSS
        notes += [f"loss {loss}, {reason} (--set loss={LOSS} is the plain one)"] if rare else []
    if balance == AUTO:
        weighted = bool(rare) and takes_weights(loss) and not mixes_classes(config)
        changes["balance"] = WEIGHTS if weighted else "none"
        if weighted:
            if config.logit_adjust is None and _ends_weighted(config):
                changes["logit_adjust"] = ADJUSTMENT
            notes.append(f"class weights ({WEIGHTS}), {reason} (--balance none uses none)")
    return config.model_copy(update=changes), tuple(notes)


def _ends_weighted(config: TrainConfig) -> bool:
    """Whether the loss at the end of the training takes class weights."""
    return config.final_loss is None or takes_weights(config.final_loss, "final_loss")


def rare_classes(
    counts: Int64[np.ndarray, "N K"], classes: tuple[str, ...], complete: bool = True
) -> list[str]:
    """Return the classes that have fewer than 5 % of the labelled pixels.

    Args:
        counts: pixels of each class in each mask that was counted.
        classes: their names.
        complete: whether all masks were counted. Then a class without pixels cannot be learned;
            else it may occur in the others, and is rare, as `class_weights` has it.
    """
    pixels = counts.sum(0)
    shares = pixels / max(1, pixels.sum())
    rare = (shares < RARE) & ((shares > 0) | (not complete and bool(pixels.any())))
    return [classes[k] for k in np.flatnonzero(rare)]


def _unusual_masks(counts: Int64[np.ndarray, "N K"], data: Data) -> Iterator[str]:
    """Yield a sentence about the first masks that `fullconv check` calls unusual."""
    indices = counted(data)
    for found in islice(unusual_shares(counts), NAMED):
        yield (
            f"look at the mask of {data.names[indices[found.index]]}: {100 * found.share:.0f} % of "
            f"it is {data.classes[found.label]}, of the others about {100 * found.usual:.2g} %; a "
            "wrong mask costs accuracy (fullconv check shows all)"
        )
