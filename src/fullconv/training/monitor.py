"""Watch a training and warn about common problems, with the likely cause."""

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from fullconv.config import TrainConfig
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion
from fullconv.networks.fcn import FCN
from fullconv.training.plan import final_loss_start

MEAN_STEPS = 20  # steps whose mean loss is compared
FLAT_STEPS = 200  # steps after which the loss must have moved
LEARNED = 0.25  # of ln K: a loss below it was learned before, e.g. with the initial weights
COLLAPSED = 0.9  # share of the pixels predicted as one class
EXCESS = 1.5  # factor over that class's share of the ground truth
SUMMED = 1e-6  # learning rates below are usually meant for the authors' summed loss


class TrainingMonitor:
    """Warnings about one training; each kind is given at most once.

    Args:
        classes: class names; of several heads, one head's after the other's.
        config: of the training.
        steps: number of steps of the training.
    """

    def __init__(self, classes: tuple[str, ...], config: TrainConfig, steps: int) -> None:
        self.classes = classes
        self.config = config
        self.steps = steps
        self._count = 0  # steps of this process; a resumed run has more
        self._first: list[float] = []
        self._last: list[float] = []
        self._initial_loss: float | None = None  # of a resumed run
        self._final = False  # whether the loss is that of the last part of the training
        self._warned: set[str] = set()
        self._predicted: set[int] = set()  # classes that were predicted so far

    def resume(self, loss: float, predicted: Iterable[int] = ()) -> None:
        """Continue the watch over a run.

        Args:
            loss: the mean of its first epoch, which is compared with instead of the next steps.
            predicted: indices of the classes that were predicted so far.
        """
        self._initial_loss = loss
        self._predicted.update(predicted)

    def step(self, number: int, loss: float) -> list[str]:
        """Check the loss of a step, against earlier ones of the same loss; return new warnings."""
        has_final = self.config.final_loss is not None and not self._final
        if has_final and number > final_loss_start(self.config, self.steps):
            self._final = True
            self._count, self._first, self._last, self._initial_loss = 0, [], [], None
        self._count += 1
        if len(self._first) < MEAN_STEPS:
            self._first.append(loss)
        self._last = [*self._last[1 - MEAN_STEPS :], loss]
        return self._new(self._check_losses(number))

    def epoch(self, number: int, metrics: HeadMetrics[Confusion], network: FCN) -> list[str]:
        """Check the evaluation after `number` steps; return new warnings."""
        warnings, first = self._check_skips(network), 0
        for name, confusion in metrics.heads.items():
            classes = self.classes[first : first + confusion.classes]
            found = self._check_predictions(number, confusion, classes, first)
            warnings |= {f"{kind} {name}": text for kind, text in found.items()}
            first += confusion.classes
        return self._new(warnings)

    def _new(self, warnings: dict[str, str]) -> list[str]:
        new = [text for kind, text in warnings.items() if kind not in self._warned]
        self._warned |= warnings.keys()
        return new

    def _check_losses(self, number: int) -> dict[str, str]:
        if self._count < 2 * MEAN_STEPS:
            return {}
        rate = self.config.learning_rate
        now = statistics.fmean(self._last)
        before = statistics.fmean(self._first) if self._initial_loss is None else self._initial_loss
        if now > 2 * before:
            return {
                "rising": f"the loss rose from {before:.3f} to {now:.3f} by step {number}: the "
                f"learning rate {rate:g} is too high; try --lr {rate / 10:.1g}"
            }
        learned = now < LEARNED * math.log(len(self.classes))
        # The last part starts from what was learned before, at low learning rates.
        checked = not self._final and self._count >= FLAT_STEPS
        if checked and now > 0.99 * before and not learned:
            cause = (
                "it looks like one for a summed loss, as in Caffe's solvers; this loss is a mean "
                "and needs about 200,000 times as much"
                if rate < SUMMED
                else f"try --lr {10 * rate:.1g}, and check the masks with `fullconv check`"
            )
            return {
                "flat": f"the loss hardly moved in {number} steps ({before:.3f} to {now:.3f}) at "
                f"learning rate {rate:g}: {cause}"
            }
        return {}

    def _check_predictions(
        self, number: int, confusion: Confusion, classes: tuple[str, ...], first: int
    ) -> dict[str, str]:
        """Check the predictions of one head, whose classes begin at `first`."""
        predicted = confusion.counts.sum(0)[: len(classes)]
        labelled = confusion.pixels
        if not predicted.sum():
            return {}
        warnings = {}
        top = int(predicted.argmax())
        share, true_share = predicted[top] / predicted.sum(), labelled[top] / max(1, labelled.sum())
        if share > COLLAPSED and share > EXCESS * true_share:
            warnings["collapse"] = (
                f"{share:.0%} of the pixels are predicted as {classes[top]} (ground truth "
                f"{true_share:.0%}): the network predicts one class everywhere; most likely "
                f"{self._likely_cause()}"
            )
        self._predicted.update((first + np.flatnonzero(predicted)).tolist())
        never = [
            name
            for label, (name, true_pixels) in enumerate(zip(classes, labelled, strict=True), first)
            if true_pixels and label not in self._predicted
        ]
        if never and number >= self.steps / 2:
            warnings["never"] = (
                f"by step {number} of {self.steps}, {_classes(never)} never been predicted; "
                f"{self._remedy_for_rare()}"
            )
        return warnings

    def _remedy_for_rare(self) -> str:
        if self.config.balance == "none":
            return "rare classes may need --balance enet, or a longer training"
        return "rare classes may need a longer training"

    def _likely_cause(self) -> str:
        rate = self.config.learning_rate
        if rate < SUMMED:
            return (
                f"it learned almost nothing: learning rate {rate:.2g} looks like one for a summed "
                "loss"
            )
        return f"the learning rate {rate:g} is too high, or masks and images are mismatched"

    def _check_skips(self, network: FCN) -> dict[str, str]:
        dead = [
            skip
            for skip, layer in zip(network.skips, list(network.score_layers())[1:], strict=True)
            if not layer.weight.any()
        ]
        if not dead:
            return {}
        return {
            "skips": f"the score weights of {', '.join(dead)} are still zero, so these skips have "
            "no effect: they get no gradient, or their learning rate is zero"
        }


def _classes(names: Sequence[str]) -> str:
    """Return "class pole has" or "classes pole, car have"."""
    noun, verb = ("class ", "has") if len(names) == 1 else ("classes ", "have")
    noun = "" if all(name.startswith("class ") for name in names) else noun  # "class class 1"
    return f"{noun}{', '.join(names)} {verb}"
