"""Estimate when a training ends, from the times of its steps and evaluations so far."""

from collections import deque

from fullconv.training.budget import GALLERY, REPORT_SECONDS, Timing
from fullconv.training.plan import TrainingPlan
from fullconv.units import format_duration

RECENT = 50  # steps whose mean time is extrapolated
FEW = 5  # steps that are averaged with the planned time, since the first ones may be slow
SLOWER = 1.5  # factor over the planned time from which a training is late


class TimeLeft:
    """The time to the end of a training: its steps, its evaluations and its report.

    Args:
        plan: of the training.
        timing: measured before the training; None if nothing was.
        samples: number of images to evaluate on.
        done: number of steps done.
    """

    def __init__(
        self, plan: TrainingPlan, timing: Timing | None, samples: int, done: int = 0
    ) -> None:
        self.plan = plan
        self.done = done
        self._planned = plan.parts[-1].step_seconds
        self._step = timing.step if timing else self._planned or 0.0
        self._image = timing.image if timing else 0.0
        self._images = len(plan.images(samples))
        self._final = len(plan.final_images(samples))
        self._recent: deque[float] = deque([self._step] * FEW, maxlen=RECENT)
        self._count = 0
        self._warned = False

    def add_step(self, done: int, seconds: float) -> None:
        """Count a step, the `done`-th."""
        self.done = done
        self._count += 1
        if self._count == 1 and not self._step:  # nothing was measured
            self._recent.clear()
        self._recent.append(seconds)
        self._step = sum(self._recent) / len(self._recent)

    def add_evaluation(self, seconds: float) -> None:
        """Count an evaluation between steps."""
        self._image = seconds / self._images

    @property
    def image_seconds(self) -> float:
        """Seconds to evaluate an image; 0 if unknown."""
        return self._image

    def seconds(self) -> float:
        """Return the estimated seconds to the end, the final evaluation and report included."""
        evaluations = self.plan.evaluations_after(self.done)
        images = evaluations * self._images + self._final + min(self._final, GALLERY)
        steps = self.plan.steps - self.done
        return steps * self._step + images * self._image + REPORT_SECONDS

    def lateness(self) -> str:
        """Return a warning, once, if steps take much longer than was planned; else ""."""
        planned = self._planned
        late = planned is not None and self._step > SLOWER * planned
        if planned is None or not late or self._warned or self._count < RECENT:
            return ""
        self._warned = True
        left = format_duration(self.seconds(), to_minutes=True)
        return (
            f"a step takes {self._step:.2g} s instead of the planned {planned:.2g} s (is the "
            f"machine busy?): about {left} left; Ctrl-C keeps the best model so far"
        )
