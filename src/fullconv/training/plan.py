"""The plan of a training: its steps, the learning rate of each, and where it is evaluated."""

from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from fullconv.config import Part, TrainConfig
from fullconv.config.duration import CPU_MINUTES, GPU_MINUTES
from fullconv.hardware import choose_device
from fullconv.training.optim import schedule

Config = TypeVar("Config", bound=TrainConfig)

ENOUGH_IMAGES = 50  # of those to evaluate on, to choose the best model by
RESTART = 0.5  # share of the peak learning rate at which a finished training continues


@dataclass(frozen=True)
class TrainingPlan:
    """What follows from the settings and the number of steps in an epoch; it never changes.

    A round is what a row of results.csv sums up: the steps between two evaluations of a planned
    part, and otherwise an epoch.

    Attributes:
        config: the settings.
        epoch_steps: steps in an epoch.
        parts: the parts, in order; none if the steps have not been planned yet.
    """

    config: TrainConfig
    epoch_steps: int
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, config: TrainConfig, epoch_steps: int) -> "TrainingPlan":
        """Return the plan of these settings; one in minutes is open until `plan` has parts."""
        steps = config.steps or (config.epochs or 0) * epoch_steps
        given: tuple[Part, ...] = ()
        if config.duration and steps:
            given = (Part(end=steps, asked=asked(*config.duration)),)
        return cls(config, epoch_steps, config.plan or given)

    @property
    def steps(self) -> int:
        """Number of steps; 0 if they have not been planned yet."""
        return self.parts[-1].end if self.parts else 0

    @property
    def epochs(self) -> int:
        """Number of epochs that are begun."""
        return ceil(self.steps / self.epoch_steps)

    @property
    def asked(self) -> str:
        """What the last part was planned for, e.g. "minutes=15"."""
        return self.parts[-1].asked if self.parts else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is probably not meant: a warmup that lasts as long as the training."""
        steps, warmup = self.steps, self.config.warmup
        if len(self.parts) != 1 or steps > warmup:
            return ()
        return (
            f"the warmup of {warmup:,} steps is not over when the training of {steps:,} is, so the "
            f"learning rate rises to the end, up to {steps / warmup:.0%} of "
            f"{self.config.learning_rate:g}; use a shorter --warmup",
        )

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, from 0."""
        part = self._part(step + 1)
        peak = part.lr or self.config.learning_rate
        warmup = 0 if part.start else self.config.warmup
        share = schedule(self.config, step - part.start, part.end - part.start, warmup)
        return peak * share

    def ends_round(self, done: int) -> bool:
        """Whether a round ends after this many steps."""
        return self._ends_part(done) or not (done - self._offset(done)) % self._interval(done)

    def evaluates(self, done: int) -> bool:
        """Whether the model is evaluated after this many steps."""
        if self._part(done).evaluate_steps or self._ends_part(done):
            return self.ends_round(done)
        return self.ends_round(done) and not done // self.epoch_steps % self.config.evaluate_every

    def last_round(self, done: int, evaluated: bool = False) -> int:
        """Return the end of the last round (that is evaluated) within so many steps; 0 if none."""
        ends = self.evaluates if evaluated else self.ends_round
        return next((step for step in range(done, 0, -1) if ends(step)), 0)

    def evaluations_after(self, done: int) -> int:
        """Return how many evaluations follow after so many steps, without the final one."""
        stops = (*(part.start for part in self.parts[1:]), self.steps)
        total = 0
        for part, stop in zip(self.parts, stops, strict=True):
            offset = part.start if part.evaluate_steps else 0
            every = part.evaluate_steps or self.epoch_steps * self.config.evaluate_every
            before = max(done, part.start) - offset
            if before < stop - offset:
                total += ceil((stop - offset) / every) - before // every
        return total

    def images(self, count: int) -> list[int]:
        """Return which of so many images are used in the evaluations between steps."""
        return spread(count, self.parts[-1].evaluate_images)

    def kept(self, count: int) -> str:
        """Return which model a run with so many images to evaluate on keeps: "best" or "last".

        The best on a few of them is so by chance in part, so the settings' "best" is the last then.
        """
        used = len(self.images(count))
        return "last" if used < min(count, ENOUGH_IMAGES) else self.config.keep

    def final_images(self, count: int) -> list[int]:
        """Return which of so many images are used in the final evaluation."""
        return spread(count, self.parts[-1].final_images)

    def extended(self, part: Part) -> tuple[Part, ...]:
        """Return the parts with one more, which replaces those that start at its step or later."""
        return (*(p for p in self.parts if p.start < part.start), part)

    def _ends_part(self, done: int) -> bool:
        return done == self.steps or any(part.start == done for part in self.parts[1:])

    def _interval(self, done: int) -> int:
        return self._part(done).evaluate_steps or self.epoch_steps

    def _offset(self, done: int) -> int:
        part = self._part(done)
        return part.start if part.evaluate_steps else 0

    def _part(self, done: int) -> Part:
        """Return the part that the last of so many steps belongs to."""
        return next((p for p in reversed(self.parts) if p.start < done), self.parts[0])


def asked(name: str, value: float) -> str:
    """Return a duration as one text, e.g. "minutes=15"; with all digits, to be compared."""
    return f"{name}={int(value) if value == int(value) else float(value)!r}"


def shown_duration(text: str) -> str:
    """Return a duration from `asked` as it is shown, e.g. "minutes=6.66667"."""
    name, _, value = text.partition("=")
    return text if not value or value.isdigit() else f"{name}={float(value):g}"


def final_loss_start(config: TrainConfig, steps: int) -> int:
    """Return the number of steps before those of the final loss; all if there is none."""
    return steps - round(config.final_loss_share * steps) if config.final_loss else steps


def resolve_duration(config: Config) -> Config:
    """Return the settings with the default minutes of their device, if no duration is given."""
    if config.duration or config.plan:
        return config
    minutes = default_minutes(choose_device(config.device).type)
    return config.model_copy(update={"minutes": minutes})


def default_minutes(device: str) -> float:
    """Return the minutes of a training whose duration is not given."""
    return CPU_MINUTES if device == "cpu" else GPU_MINUTES


def spread(count: int, wanted: int | None) -> list[int]:
    """Return `wanted` of `count` indices, evenly spaced; all if that is None or more."""
    wanted = count if wanted is None else min(wanted, count)
    return [number * count // wanted for number in range(wanted)]


def further_rate(plan: TrainingPlan, done: int) -> float:
    """Return the learning rate at which a training continues with a new part after `done` steps.

    It is the rate that the training had reached, but at least half of the peak: a finished
    training has decayed to none.
    """
    reached = plan.learning_rate(done) if done < plan.steps else 0.0
    if plan.config.schedule == "constant":
        reached = plan.learning_rate(done - 1)
    return max(reached, RESTART * plan.config.learning_rate)
