"""Plan a training: from minutes to steps, and on from a training that was finished or stopped."""

import json
from pathlib import Path
from typing import Any

from fullconv.config import Part, RunConfig, TrainConfig
from fullconv.errors import ConfigError
from fullconv.training.budget import Timing, plan_part
from fullconv.training.distributed import ProcessGroup
from fullconv.training.plan import TrainingPlan, asked, further_rate
from fullconv.training.run.folder import Run


def plan_minutes(
    config: TrainConfig, timing: Timing, samples: int, spent: float = 0.0
) -> tuple[Part, ...]:
    """Return the plan of a training whose duration is given in minutes.

    Args:
        config: of the training.
        timing: what was measured.
        samples: number of images to evaluate on.
        spent: seconds since the command started.
    """
    part = plan_part(60 * (config.own_minutes or 0), timing, samples, spent=spent)
    return (part.model_copy(update={"asked": asked("minutes", config.minutes or 0)}),)


def plan_further(
    plan: TrainingPlan, done: int, duration: tuple[str, float], timing: Timing, samples: int
) -> tuple[Part, ...]:
    """Return the plan of a training that continues after `done` steps.

    Args:
        plan: so far.
        done: number of steps done.
        duration: "minutes", "epochs" or "steps", and how many more of them.
        timing: what was measured.
        samples: number of images to evaluate on.
    """
    name, value = duration
    last = plan.parts[-1]
    if name == "minutes":
        # As many images as before, or the best model so far could not be compared.
        images = min(samples, last.evaluate_images or samples)
        part = plan_part(60 * value, timing, samples, done, images)
    else:
        steps = round(value * plan.epoch_steps if name == "epochs" else value)
        part = last.model_copy(update={"start": done, "end": done + steps})
    changes = {"lr": further_rate(plan, done), "asked": asked(name, value)}
    return plan.extended(part.model_copy(update=changes))


def stored_plan(run: Run) -> tuple[Part, ...]:
    """Return the plan in a run's config.yaml; none if there is none yet."""
    if not run.config.is_file():
        return ()
    return RunConfig.checked(**run.read_config()).plan


def shared_plan(parts: tuple[Part, ...], group: ProcessGroup) -> tuple[Part, ...]:
    """Return the main process's plan, in every process: each has measured other times."""
    text = json.dumps([part.model_dump() for part in parts])
    return tuple(Part.checked(**values) for values in json.loads(group.broadcast_text(text)))


def check_plan(plan: TrainingPlan, notes: dict[str, Any], path: Path) -> None:
    """Check that a checkpoint belongs to the plan in config.yaml.

    Raises:
        ConfigError: it was written by a training of another number of steps.
    """
    steps = notes.get("steps")
    if plan.parts and steps is not None and steps not in {part.end for part in plan.parts}:
        raise ConfigError(
            f"{path} plans {plan.steps} steps, but the checkpoint is from a training of {steps} "
            "steps; restore the file that the run wrote, or start a new run without --resume"
        )
