"""What a run keeps in its checkpoint besides the training state: the best round and losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class RunProgress:
    """The best evaluation so far, and the losses of the current round.

    Attributes:
        best_score: mean IoU of the model that is kept.
        best_epoch: its epoch; 0 before the first evaluation.
        best_step: number of steps after which it was saved.
        loss_sum: of the steps of the current round.
        loss_count: number of those steps.
    """

    best_score: float = float("-inf")
    best_epoch: int = 0
    best_step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0

    def add_loss(self, loss: float) -> None:
        """Count a step of the current round."""
        self.loss_sum += loss
        self.loss_count += 1

    def keep(self, score: float, epoch: int, step: int) -> None:
        """Note the model that is kept from now on."""
        self.best_score, self.best_epoch, self.best_step = score, epoch, step

    def end_round(self) -> None:
        """Start a new round."""
        self.loss_sum, self.loss_count = 0.0, 0

    @property
    def mean_loss(self) -> float:
        """Mean loss of the current round's steps."""
        return self.loss_sum / self.loss_count

    def notes(self) -> dict[str, Any]:
        """Return the values to store in a checkpoint."""
        return {
            "best_mean_iou": self.best_score if self.best_epoch else None,
            "best_epoch": self.best_epoch,
            "best_step": self.best_step,
            "epoch_losses": (self.loss_sum, self.loss_count),
        }

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "RunProgress":
        """Restore the values from a checkpoint."""
        progress = cls(loss_sum=notes["epoch_losses"][0], loss_count=notes["epoch_losses"][1])
        if notes["best_epoch"]:
            progress.keep(notes["best_mean_iou"], notes["best_epoch"], notes["best_step"])
        return progress
