"""How many steps and evaluations fit into a number of minutes."""

from dataclasses import dataclass
from math import ceil

from fullconv.config import Part

EVALUATION_SHARE = 0.1  # of the time, at most, for evaluations
FEWEST, MOST = 6, 20  # evaluations between steps; with fewer, each uses fewer images
SPACING = 15.0  # seconds between evaluations, at least: each saves a checkpoint
FEWEST_IMAGES = 4  # of an evaluation
RESERVE = 0.03  # share of the time for checkpoints and logs
GALLERY = 6  # images that the report shows, at most, each predicted once more
REPORT_SECONDS = 6.0  # for the report at the end
ENOUGH_STEPS = 1500  # fewer than that rarely train a network to its end


@dataclass(frozen=True)
class Timing:
    """Measured times, in seconds.

    Attributes:
        step: of one optimization step, loading included.
        image: of evaluating one image, divided by the number of processes.
        reading: of reading all training images once, if they are kept afterwards.
    """

    step: float
    image: float
    reading: float = 0.0


@dataclass(frozen=True)
class Evaluations:
    """How often a training is evaluated, and on how many images.

    Attributes:
        count: evaluations between the steps.
        images: images of each of them.
        final: images of the final evaluation.
    """

    count: int
    images: int
    final: int

    def seconds(self, timing: Timing) -> float:
        """Return the time that all of them take."""
        return (self.count * self.images + self.final + min(self.final, GALLERY)) * timing.image


def plan_part(
    seconds: float,
    timing: Timing,
    samples: int,
    start: int = 0,
    images: int | None = None,
    spent: float = 0.0,
) -> Part:
    """Return the part that fits into a time.

    Args:
        seconds: the time for everything.
        timing: what was measured.
        samples: number of images to evaluate on.
        start: number of steps before the part.
        images: images of each evaluation between steps; None is as many as the time allows.
        spent: seconds that have passed; at least half of the time is planned for the training.
    """
    once = spent + timing.reading + REPORT_SECONDS
    left = max(seconds / 2, (1 - RESERVE) * seconds - once)
    evaluations = plan_evaluations(EVALUATION_SHARE * seconds, seconds, timing, samples, images)
    steps = max(1, int((left - evaluations.seconds(timing)) / timing.step))
    interval = ceil(steps / min(steps, evaluations.count))
    return Part(
        start=start,
        end=start + steps,
        evaluate_steps=interval,
        evaluate_images=evaluations.images if evaluations.images < samples else None,
        final_images=evaluations.final if evaluations.final < samples else None,
        step_seconds=float(f"{timing.step:.3g}"),
    )


def plan_evaluations(
    budget: float, seconds: float, timing: Timing, samples: int, images: int | None = None
) -> Evaluations:
    """Return the evaluations that take at most `budget` seconds, as far as a single one does.

    The final evaluation uses all images if that takes at most half of the budget.
    """
    image = max(timing.image, 1e-9)
    final = _within(budget / 2, image, samples, fewest=1)
    left = budget - (final + min(final, GALLERY)) * image
    if images is None:
        images = _within(left / FEWEST, image, samples, fewest=FEWEST_IMAGES)
    most = left / (images * image) if images else 0.0
    return Evaluations(max(1, int(min(MOST, most, seconds / SPACING))), images, final)


def _within(seconds: float, image: float, samples: int, fewest: int) -> int:
    return min(samples, max(fewest, int(seconds / image)))
