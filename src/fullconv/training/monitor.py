"""The flight recorder: watches a training and says in words what goes wrong, and why it may."""

import math
import statistics

from fullconv.config import TrainConfig
from fullconv.evaluation.metrics import Confusion
from fullconv.networks.fcn import FCN

WINDOW = 20  # steps whose mean loss is compared
SETTLED = 200  # steps after which a loss has to have moved
LEARNED = 0.25  # of ln K: a loss below it has moved before, where the weights came from
COLLAPSED = 0.9  # share of the answers that one class has
EXCESS = 1.5  # over its share of the truth
SUMMED = 1e-6  # rates below are usually meant for the authors' summed loss


class TrainingMonitor:
    """Notes about one training; each kind is given once.

    Args:
        classes: their names.
        config: of the training.
        steps: of the training, in all.
    """

    def __init__(self, classes: tuple[str, ...], config: TrainConfig, steps: int) -> None:
        self.classes = classes
        self.config = config
        self.steps = steps
        self.seen = 0  # steps of this process; a run that goes on has more
        self.first: list[float] = []
        self.last: list[float] = []
        self.began: float | None = None  # the loss that the run began with, where others saw it
        self.given: set[str] = set()

    def go_on(self, loss: float) -> None:
        """Compare with this loss, the mean of the run's first epoch, rather than with the next."""
        self.began = loss

    def step(self, number: int, loss: float) -> list[str]:
        """Look at a step's loss."""
        self.seen += 1
        if len(self.first) < WINDOW:
            self.first.append(loss)
        self.last = [*self.last[1 - WINDOW :], loss]
        return self._new(self._about_losses(number))

    def epoch(self, number: int, confusion: Confusion, network: FCN) -> list[str]:
        """Look at an evaluation, after `number` steps."""
        return self._new({**self._about_answers(number, confusion), **self._about_skips(network)})

    def _new(self, notes: dict[str, str]) -> list[str]:
        fresh = [text for kind, text in notes.items() if kind not in self.given]
        self.given |= notes.keys()
        return fresh

    def _about_losses(self, number: int) -> dict[str, str]:
        if self.seen < 2 * WINDOW:
            return {}
        rate = self.config.learning_rate
        now = statistics.fmean(self.last)
        before = statistics.fmean(self.first) if self.began is None else self.began
        if now > 2 * before:
            return {
                "rising": f"the loss rose from {before:.3f} to {now:.3f} by step {number}: the "
                f"rate {rate:g} is too high for it; try --lr {rate / 10:.1g}"
            }
        learned = now < LEARNED * math.log(len(self.classes))
        if self.seen >= SETTLED and now > 0.99 * before and not learned:
            cause = (
                "it looks like a rate for a summed loss, as in Caffe's solvers; ours is the mean, "
                "and takes about 200,000 times as much"
                if rate < SUMMED
                else f"try --lr {10 * rate:.1g}, and `fullconv check` for the labels"
            )
            return {
                "flat": f"the loss has hardly moved in {number} steps ({before:.3f} to "
                f"{now:.3f}) at the rate {rate:g}: {cause}"
            }
        return {}

    def _about_answers(self, number: int, confusion: Confusion) -> dict[str, str]:
        answers = confusion.counts.sum(0)[: len(self.classes)]
        truth = confusion.pixels
        if not answers.sum():
            return {}
        top = int(answers.argmax())
        share, true = answers[top] / answers.sum(), truth[top] / max(1, truth.sum())
        notes = {}
        if share > COLLAPSED and share > EXCESS * true:
            notes["collapse"] = (
                f"{share:.0%} of the answers are {self.classes[top]}, truth {true:.0%}: the "
                f"network answers one class whatever it sees; most likely {self._guess()}"
            )
        never = [
            name
            for name, answered, labelled in zip(self.classes, answers, truth, strict=True)
            if labelled and not answered
        ]
        if never and number >= self.steps / 2:
            notes["never"] = (
                f"after half of the training {', '.join(never)} is never answered: it is rare; "
                "--balance enet or more epochs may help"
            )
        return notes

    def _guess(self) -> str:
        rate = self.config.learning_rate
        if rate < SUMMED:
            return f"it has learned next to nothing: the rate {rate:.2g} looks like one for a sum"
        return f"the rate is too high ({rate:g}), or the labels do not belong to the photos"

    def _about_skips(self, network: FCN) -> dict[str, str]:
        dead = [
            skip
            for skip, layer in zip(network.skips, list(network.score_layers())[1:], strict=True)
            if not layer.weight.any()
        ]
        if not dead:
            return {}
        return {
            "skips": f"the scores of {', '.join(dead)} are still zero, so these skips add nothing: "
            "no gradient reaches them, or their rate is zero"
        }
