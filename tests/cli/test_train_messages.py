"""What `fullconv train` says of stages: their own minutes, and how the whole run is resumed."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from fullconv.cli._train_messages import say_plan, say_usable
from fullconv.config import Part, RunConfig
from fullconv.training.plan import TrainingPlan
from fullconv.training.progress import RunProgress
from fullconv.training.run.folder import Run

STAGED = {"stages": ({"stride": 32}, {"stride": 16})}


@pytest.mark.parametrize(("stages", "minutes"), [(STAGED, "10 minutes"), ({}, "30 minutes")])
def test_the_plan_names_the_minutes_of_its_own_stage(stages, minutes, capsys):
    part = Part(end=2000, asked="minutes=30", evaluate_steps=100, step_seconds=0.3)
    config = RunConfig(data="photos", model="fcn8s-vgg11", minutes=30, plan=(part,), **stages)
    trainer = SimpleNamespace(plan=TrainingPlan.of(config, 7), done=0)
    facts = {"preflight": None, "plan_warnings": (), "further": None, "val": [0] * 5}
    say_plan(SimpleNamespace(config=config, trainer=trainer, **facts), quiet=False)
    assert f"plan   2,000 steps in {minutes}, 0.30 s each" in capsys.readouterr().out


@pytest.mark.parametrize("is_stage", [True, False])
def test_a_stopped_stage_is_resumed_by_its_run_and_has_no_other_duration(is_stage, capsys):
    whole = Run(Path("my runs/train/photos-001"))
    run = Run(whole.folder / "stage-1-fcn32s-vgg11") if is_stage else whole
    left = SimpleNamespace(seconds=lambda: 3600.0)
    facts = {"progress": RunProgress(), "time_left": left, "is_stage": is_stage}
    config = RunConfig(data="photos")
    say_usable(SimpleNamespace(run=run, whole=whole, config=config, **facts), None)
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    command = ["fullconv", "train", "--resume", str(whole.folder)]
    assert shlex.split(lines["resume"].partition("   (")[0]) == command
    assert ("of this stage" in lines["resume"]) == is_stage
    if is_stage:
        assert "faster" not in lines
    else:
        assert shlex.split(lines["faster"]) == [*command, "--minutes", "20"]
