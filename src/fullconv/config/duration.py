"""The settings that say how long a training takes, and the plan that follows from them."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from fullconv.config.base import Settings, depends

DURATIONS = ("minutes", "epochs", "steps")  # one of them is given, or none
CPU_MINUTES, GPU_MINUTES = 15.0, 5.0  # a GPU takes more steps in five than a CPU in fifteen


class Stage(Settings):
    """A coarser network that is trained first, and that the next stage starts from."""

    stride: Literal[32, 16, 8, 4] = Field(description="Stride of its network: 32 is FCN-32s.")
    lr: float | None = Field(
        None,
        gt=0,
        le=100,
        description="Learning rate of the stage.",
        json_schema_extra=depends("lr of the run"),
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Number of epochs of the stage.",
        json_schema_extra=depends("epochs, steps or an equal part of the minutes of the run"),
    )


class Part(Settings):
    """A planned part of a training: steps over which the learning rate decays once."""

    start: int = Field(0, ge=0, description="Number of steps before it.")
    end: int = Field(ge=1, description="Number of steps after it.")
    lr: float | None = Field(None, gt=0, le=100, description="Learning rate at its start.")
    asked: str = Field("", max_length=80, description="What it was planned for, e.g. minutes=15.")
    evaluate_steps: int | None = Field(None, ge=1, description="Steps between evaluations.")
    evaluate_images: int | None = Field(None, ge=1, description="Images of each evaluation.")
    final_images: int | None = Field(None, ge=1, description="Images of the final evaluation.")
    step_seconds: float | None = Field(None, gt=0, description="Measured time of a step.")

    @model_validator(mode="after")
    def _in_order(self) -> "Part":
        if self.end <= self.start:
            raise ValueError("expected a part that ends after its start")
        return self


class DurationSettings(Settings):
    """Duration: how long the training takes, in stages and parts, and when it is evaluated."""

    stages: tuple[Stage, ...] = Field(
        (),
        max_length=5,
        description="Coarser networks to train first, each starting from the one before (paper, "
        "section 4.2): a list of {stride, lr, epochs}.",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Time for everything. The number of steps and the evaluations follow from the "
        "measured time of a step, once, at the start.",
        json_schema_extra=depends(
            f"{CPU_MINUTES:g} on a CPU, {GPU_MINUTES:g} on a GPU, without epochs and steps"
        ),
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Number of epochs, instead of minutes.",
        json_schema_extra=depends("what the minutes allow"),
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=100_000_000,
        description="Number of optimization steps, instead of minutes.",
        json_schema_extra=depends("what the minutes allow"),
    )
    plan: tuple[Part, ...] = Field(
        (),
        max_length=1000,
        description="The steps and evaluations that the minutes were turned into, and a further "
        "part for each --resume with a new duration. A run writes it; with it, config.yaml "
        "reproduces the run.",
    )
    evaluate_every: int = Field(
        1,
        ge=1,
        description="Epochs between evaluations, if the duration is given in epochs or steps; the "
        "last step is always evaluated.",
    )

    @model_validator(mode="after")
    def _one_duration(self) -> "DurationSettings":
        given = [name for name in DURATIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} are given together; expected only one of "
                "minutes, epochs and steps"
            )
        starts = [part.start for part in self.plan]
        if starts and (starts[0] != 0 or starts != sorted(set(starts))):
            raise ValueError("plan: expected parts that start at 0 and then at later steps")
        for before, part in pairwise(self.plan):
            if part.start > before.end:
                raise ValueError(
                    f"plan: no part has the steps {before.end} to {part.start}; expected parts "
                    "that start at the end of the one before at the latest"
                )
        return self

    @property
    def duration(self) -> tuple[str, float] | None:
        """The setting that gives the duration, and its value; None if none is given."""
        for name in DURATIONS:
            value = getattr(self, name)
            if value is not None:
                return name, value
        return None

    @property
    def own_minutes(self) -> float | None:
        """The minutes of this training alone: its stages without epochs get equal parts."""
        timed = 1 + sum(stage.epochs is None for stage in self.stages)
        return None if self.minutes is None else self.minutes / timed
