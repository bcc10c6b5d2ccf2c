"""What `fullconv train` says of stages: their minutes and weights, and how a run is resumed."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from fullconv.cli._train_messages import say_plan, say_usable, say_weights
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
    facts |= {"keeps": "best"}
    say_plan(SimpleNamespace(config=config, trainer=trainer, **facts), quiet=False)
    assert f"plan   2,000 steps in {minutes}, 0.30 s each" in capsys.readouterr().out


def test_a_later_stage_says_what_it_took_from_the_one_before(capsys):
    report = SimpleNamespace(summary=lambda: "fullconv: 8 of 9 arrays taken", notes=(), warnings=())
    config = RunConfig(data="photos", weights="imagenet")
    facts = {"weights_report": report, "config": config, "trainer": SimpleNamespace(done=0)}
    say_weights(SimpleNamespace(initial=None, **facts), quiet=False)
    assert capsys.readouterr().out == "", "it is said among the decisions"
    say_weights(SimpleNamespace(initial=Path("best.safetensors"), **facts), quiet=False)
    assert capsys.readouterr().out == "weights  fullconv: 8 of 9 arrays taken\n"


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
