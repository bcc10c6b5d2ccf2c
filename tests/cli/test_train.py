"""Recipes, stages and settings on the command line."""

import json
import os
import shlex
import signal
import time
from contextlib import redirect_stdout
from io import StringIO

import pytest

import fullconv as fc
from fullconv.cli import run
from fullconv.cli import train as cli_train
from fullconv.config import RunConfig
from fullconv.training.experiment import Experiment
from fullconv.training.run.folder import open_run
from fullconv.training.stages import stages_of
from fullconv.training.trainer import Trainer

SMALL = ["--model", "fcn8s-vgg11_bn", "--width", "0.0625", "--hidden", "8", "--batch", "4"]
DATA = "scenes:10@32x40"


def staged(out, *options):
    command = ["train", DATA, *SMALL, "--recipe", "paper-staged", "--epochs", "1", "--lr", "0.01"]
    return run([*command, "--out", str(out), "--name", "staged", *options])


@pytest.fixture(scope="module")
def finished_stages(tmp_path_factory):
    out, said = tmp_path_factory.mktemp("stages"), StringIO()
    with redirect_stdout(said):
        assert staged(out) == 0
    return out / "train" / "staged-001", said.getvalue()


@pytest.fixture(scope="module")
def three_stages(finished_stages):
    return finished_stages[0]


@pytest.fixture(scope="module")
def three_stages_said(finished_stages):
    return finished_stages[1]


def test_the_papers_three_stages_are_in_one_folder(three_stages):
    stages = sorted(path.name for path in three_stages.glob("stage-*"))
    assert stages == ["stage-1-fcn32s-vgg11_bn", "stage-2-fcn16s-vgg11_bn"]
    assert fc.load(three_stages).network.skips == ("pool4", "pool3")
    assert fc.load(three_stages / stages[0]).network.skips == ()
    saved = RunConfig(**open_run(three_stages).read_config())
    assert saved.recipe == "paper-staged" and saved.padding == 100 and len(saved.stages) == 2


def test_each_stage_starts_from_the_one_before(three_stages):
    config = RunConfig(**open_run(three_stages).read_config())
    first, second, _ = stages_of(config, three_stages)
    assert first.initial is None and second.initial == first.run.best
    network = Experiment(second.config, second.initial).model.network
    before = fc.load(second.initial).network
    assert (network.backbone.conv1_1.weight == before.backbone.conv1_1.weight).all()
    assert (network.score_fr.weight == before.score_fr.weight).all()
    assert network.score_fr.weight.any() and not network.score_pool4.weight.any()


def test_a_run_stopped_in_its_second_stage_resumes_there(three_stages, tmp_path):
    config = RunConfig(**open_run(three_stages).read_config())
    folder = tmp_path / "train" / "staged-001"
    stages = list(stages_of(config, folder))
    folder.mkdir(parents=True)
    stages[-1].run.write_config(config.model_dump(mode="json"))
    for stage, steps in zip(stages[:2], (None, 1), strict=True):
        experiment = Experiment(stage.config, stage.initial)
        experiment.attach(stage.run)
        for event in experiment.events():
            if steps and event.number == steps:
                experiment.save()
                break
        if not steps:
            experiment.finish()
    assert run(["train", "--resume", "--out", str(tmp_path), "--quiet"]) == 0
    for name in ("best.safetensors", "last.safetensors", "config.yaml"):
        assert (folder / name).read_bytes() == (three_stages / name).read_bytes(), name


def test_a_run_stopped_in_a_stage_says_how_to_resume_the_whole(tmp_path, capsys):
    assert staged(tmp_path / "my runs", "--max-seconds", "1e-9") == 75
    folder = tmp_path / "my runs" / "train" / "staged-001"
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line[:6] == "resume")
    words = shlex.split(line.partition("   (")[0])[1:]
    assert words == ["fullconv", "train", "--resume", str(folder)]
    (stage,) = folder.glob("stage-1-*")
    assert run(["train", "--resume", str(stage)]) == 2
    assert f"is a stage of the run {folder}" in capsys.readouterr().err
    assert not (stage / "summary.json").exists()


def test_only_the_last_stage_offers_to_be_trained_further(three_stages_said):
    assert three_stages_said.count("longer  ") == three_stages_said.count("next    ") == 1


def test_any_setting_can_be_given(tmp_path):
    options = ["--set", "ema=0.5", "--set", "zoom=[1, 1.2]", "--set", "clip=5"]
    command = ["train", DATA, *SMALL, "--steps", "1", "--out", str(tmp_path), "--quiet"]
    assert run([*command, *options]) == 0
    saved = open_run(tmp_path / "train" / "latest").read_config()
    assert (saved["ema"], saved["zoom"], saved["clip"]) == (0.5, [1.0, 1.2], 5.0)
    assert json.loads((tmp_path / "train" / "latest" / "summary.json").read_text())["images"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "paper"], "paper-staged"),
        (["--set", "emma=0.5"], "emma"),
        (["--set", "ema"], "NAME=VALUE"),
        (["--set", "ema=2"], "ema is 2"),
        (["--set", "stages=[{stride: 5}]"], "stages"),
        (["--crop", "all"], "all"),
    ],
)
def test_invalid_settings_are_rejected_with_one_message(options, message, tmp_path, capsys):
    assert run(["train", DATA, *SMALL, "--out", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and len(error.splitlines()) <= 8
    assert not list(tmp_path.iterdir())


def test_the_last_model_is_not_called_the_best(tmp_path, capsys):
    command = ["train", DATA, *SMALL, "--epochs", "2", "--out", str(tmp_path)]
    assert run([*command, "--set", "keep=last"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rounds = [line for line in lines if line.startswith("epoch ")]
    assert len(rounds) == 2 and all(" kept " in line and "best" not in line for line in rounds)
    assert [line for line in lines if line.startswith("last model: step 4 (epoch 2)")]


def test_a_finished_run_is_not_resumed(three_stages, capsys):
    before = sorted(path.name for path in three_stages.iterdir())
    assert run(["train", "--resume", str(three_stages)]) == 2
    message = capsys.readouterr().err
    assert "is finished, so there is nothing to resume" in message and "--weights" in message
    assert "--minutes 10" in message
    assert message.count("\n") == 1
    assert sorted(path.name for path in three_stages.iterdir()) == before


def test_a_finished_run_is_trained_further(tmp_path, capsys):
    command = ["train", DATA, *SMALL, "--out", str(tmp_path)]
    assert run([*command, "--steps", "3"]) == 0
    folder = tmp_path / "train" / "scenes-001"
    said = capsys.readouterr().out
    assert "3 steps (2 epochs)" in said and f"--resume {folder} --minutes 10" in said
    assert run(["train", "--out", str(tmp_path), "--resume", "--steps", "2"]) == 0
    said = capsys.readouterr().out
    assert "2 more steps; the learning rate starts at 5.0e-04 and decays to 0" in said
    assert [int(row["step"]) for row in open_run(folder).read_results()] == [2, 3, 4, 5]
    assert (folder / "summary.json").is_file()
    assert run(["train", "--resume", str(folder), "--steps", "2", "--epochs", "1"]) == 2
    assert "epochs and steps are given" in capsys.readouterr().err


def test_minutes_are_planned_and_interrupting_leaves_a_report(tmp_path, capsys, monkeypatch):
    train_step = Trainer.train_step

    def interrupted(self, batch):
        if self.plan.steps and self.done == 2 and self.optimizer.state:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(self, batch)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    plan = "[{end: 9, asked: minutes=1, evaluate_steps: 2}]"
    options = ["--set", "minutes=1", "--set", f"plan={plan}"]
    assert run(["train", DATA, *SMALL, "--out", str(tmp_path), *options]) == 130
    folder = tmp_path / "train" / "scenes-001"
    lines = capsys.readouterr().out.splitlines()
    assert "Stopped after step 3 of 9; the checkpoint is saved." in lines
    for start in ("step 2/9  loss ", "best    step 2", "usable  ", "report  ", "resume  "):
        assert [line for line in lines if line.startswith(start)], start
    assert all(len(line) <= 80 for line in lines if line.startswith("step "))
    assert (folder / "report.html").is_file() and not (folder / "summary.json").exists()


@pytest.mark.parametrize("resume", [["--resume"], ["--resume", "auto"]])
def test_resuming_nothing_needs_data_to_start_a_run(resume, three_stages, tmp_path, capsys):
    out = ["--out", str(three_stages.parents[1])]
    assert run(["train", *out, *resume]) == 2
    message = capsys.readouterr().err
    assert "there is no unfinished run in" in message and "fullconv train DATA" in message
    assert message.count("\n") == 1
    command = ["train", DATA, *SMALL, "--steps", "1", "--out", str(tmp_path), "--name", "a"]
    assert run([*command, *resume, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert f"there is no unfinished run named a in {tmp_path / 'train'}: starting a new one" in said


def test_max_seconds_count_from_the_start_of_the_command(tmp_path, monkeypatch):
    """The time that the data takes to be read is part of a job's limit."""
    monotonic, passed = time.monotonic, [0.0]
    prepare = cli_train.prepare

    def slowly(config, group):
        passed[0] += 1000
        return prepare(config, group)

    monkeypatch.setattr(cli_train, "prepare", slowly)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed[0])
    command = ["train", DATA, *SMALL, "--steps", "3", "--out", str(tmp_path), "--quiet"]
    assert run([*command, "--name", "late", "--max-seconds", "900"]) == 75
    assert not open_run(tmp_path / "train" / "late-001").finished


def test_a_resumed_run_gets_latest_wherever_it_is_named_from(tmp_path):
    command = ["train", DATA, *SMALL, "--epochs", "1", "--out", str(tmp_path), "--quiet"]
    assert run([*command, "--max-seconds", "1e-9"]) == 75
    latest = tmp_path / "train" / "latest"
    assert run(["train", "--resume", str(latest), "--max-seconds", "1e-9"]) == 75
    assert latest.resolve().name == "scenes-001"  # not a link to itself
    latest.unlink()
    latest.mkdir()  # somebody's own folder
    assert run(["train", "--resume", str(tmp_path / "train" / "scenes-001")]) == 0
    assert latest.is_dir() and not latest.is_symlink()
