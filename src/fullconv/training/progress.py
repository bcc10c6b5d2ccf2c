"""What a run keeps in its checkpoint besides the training state: best epoch and epoch loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class RunProgress:
    """The best evaluation so far, and the losses of the current epoch.

    Attributes:
        best_score: mean IoU of the model that is kept.
        best_epoch: its epoch; 0 before the first evaluation.
        loss_sum: of the steps of the current epoch.
        loss_count: number of those steps.
    """

    best_score: float = float("-inf")
    best_epoch: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0

    def add_loss(self, loss: float) -> None:
        """Count a step of the current epoch."""
        self.loss_sum += loss
        self.loss_count += 1

    def end_epoch(self) -> None:
        """Start a new epoch."""
        self.loss_sum, self.loss_count = 0.0, 0

    @property
    def mean_loss(self) -> float:
        """Mean loss of the current epoch's steps."""
        return self.loss_sum / self.loss_count

    def notes(self) -> dict[str, Any]:
        """Return the values to store in a checkpoint."""
        return {
            "best_mean_iou": self.best_score if self.best_epoch else None,
            "best_epoch": self.best_epoch,
            "epoch_losses": (self.loss_sum, self.loss_count),
        }

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "RunProgress":
        """Restore the values from a checkpoint."""
        progress = cls(loss_sum=notes["epoch_losses"][0], loss_count=notes["epoch_losses"][1])
        if notes["best_epoch"]:
            progress.best_score = notes["best_mean_iou"]
            progress.best_epoch = notes["best_epoch"]
        return progress
