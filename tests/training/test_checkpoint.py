"""A damaged checkpoint is noticed, and the one before it is used."""

import os
import random
import shutil

import pytest

import fullconv as fc
from fullconv.config import RunConfig
from fullconv.errors import ConfigError, OutputError, WeightsError
from fullconv.training.checkpoint import choose_checkpoint
from fullconv.training.events import Note
from fullconv.training.experiment import Experiment
from fullconv.training.run.folder import Run

SETTINGS = {"model": "fcn8s-vgg11_bn", "width": 1 / 16, "hidden": 8, "batch": 4, "epochs": 3}
CONFIG = RunConfig(data="scenes:10@24x32", ema=0.9, **SETTINGS)
FLIPS = 60


def attached(run):
    experiment = Experiment(CONFIG)
    experiment.attach(run)
    return experiment


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped in its second epoch, with two checkpoints."""
    run = Run(tmp_path_factory.mktemp("stopped") / "run")
    experiment = attached(run)
    for step in experiment.events():
        if getattr(step, "number", 0) == 3 and hasattr(step, "loss"):
            break
    experiment.save()
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    experiment = attached(Run(tmp_path_factory.mktemp("whole") / "run"))
    list(experiment.events())
    experiment.finish()
    return experiment.run


@pytest.fixture
def run(stopped, tmp_path):
    return Run(shutil.copytree(stopped.folder, tmp_path / "run"))


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << place % 8
    path.write_bytes(content)


def test_any_flipped_bit_is_noticed(run):
    size = run.last.stat().st_size
    draw = random.Random(0)
    whole = run.last.read_bytes()
    places = [*range(0, 3000, 97), *(draw.randrange(size) for _ in range(FLIPS))]
    for place in places:
        flip(run.last, place)
        chosen, note = choose_checkpoint(run.last)
        assert chosen.name == "previous.safetensors", place
        assert "last.safetensors" in note and "resuming from step 2" in note, note
        run.last.write_bytes(whole)
    assert choose_checkpoint(run.last) == (run.last, "")


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_a_shortened_checkpoint_is_noticed(kept, run):
    run.last.write_bytes(run.last.read_bytes()[:kept])
    assert choose_checkpoint(run.last)[0].name == "previous.safetensors"


@pytest.mark.parametrize("missing", [False, True])
def test_the_previous_checkpoint_leads_to_the_same_bytes(missing, run, whole):
    flip(run.last, -100)
    if missing:
        run.last.unlink()
    experiment = attached(run)
    assert experiment.trainer.done == 2
    events = list(experiment.events())
    experiment.finish()
    notes = [event.text for event in events if isinstance(event, Note)]
    (note,) = [text for text in notes if "previous.safetensors" in text]
    assert "resuming from step 2" in note and "\n" not in note
    assert run.last.read_bytes() == whole.last.read_bytes()
    assert run.best.read_bytes() == whole.best.read_bytes()
    assert [row["epoch"] for row in run.read_results()] == [1, 2, 3]


def test_two_damaged_checkpoints_are_an_error(run):
    for path in (run.last, run.last.with_name("previous.safetensors")):
        flip(path, -1)
    before = sorted(path.name for path in run.folder.iterdir())
    with pytest.raises(WeightsError, match="start a new run without --resume"):
        attached(run)
    assert sorted(path.name for path in run.folder.iterdir()) == before


def test_a_finished_run_keeps_one_checkpoint(whole):
    assert {path.name for path in whole.folder.glob("*.safetensors")} == {
        "best.safetensors",
        "last.safetensors",
    }


def test_without_hard_links_the_previous_checkpoint_is_a_copy(run, monkeypatch):
    experiment = attached(run)
    before = run.last.read_bytes()
    monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError(95, "no links")))
    next(experiment.events())
    experiment.save()
    assert run.last.with_name("previous.safetensors").read_bytes() == before
    assert not [*run.folder.glob(".*")]


def test_a_full_disk_leaves_the_latest_checkpoint(run, monkeypatch):
    experiment = attached(run)
    before = run.last.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    next(experiment.events())
    with pytest.raises(OutputError, match="the disk is full"):
        experiment.save()
    assert run.last.read_bytes() == before
    assert not [*run.folder.glob(".*")]


def test_a_damaged_model_is_not_used(whole, tmp_path):
    path = shutil.copy(whole.best, tmp_path / "model.safetensors")
    fc.load(path)
    flip(path, -10)
    with pytest.raises(WeightsError, match=r"model.safetensors is damaged: .*; restore it"):
        fc.load(path)


@pytest.mark.parametrize("table", ["results.csv", "per_class_history.csv"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("epoch", "epocj"),
        lambda text: text.replace("\n1,2,", "\n1,x,"),
        lambda text: text.replace("\n1,2,", "\n1,nan,"),
        lambda text: text.replace("\n1,2,", "\n1,2,,,,,,,,,,,,,,,,,"),
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: text.replace("\n1,", '\n"1,'),
        lambda text: text.splitlines()[0] + "\n",
        lambda text: text[:30] + "\udcff" + text[30:],
    ],
)
def test_a_damaged_table_is_one_sentence(table, damage, run):
    path = run.folder / table
    damaged = damage(path.read_text())
    path.write_text(damaged, errors="surrogateescape")
    with pytest.raises(ConfigError, match=rf"{table}.*damaged; move it away") as error:
        attached(run)
    assert "\n" not in str(error.value)
    assert path.read_text(errors="surrogateescape") == damaged
    path.rename(run.folder / "away")
    assert attached(run).trainer.done == 3
