"""A run that is planned in minutes, killed, resumed and trained further ends in the same bytes."""

import pytest

import fullconv as fc
from children import rows
from fullconv.config import Part, RunConfig
from fullconv.errors import ConfigError
from fullconv.io.images import write_image, write_labels
from fullconv.training import preflight as dry_run
from fullconv.training.experiment import Experiment
from fullconv.training.run.folder import Run, create_run
from fullconv.training.trainer import Step
from toy_training import CONFIG, toy_data

TINY = {
    "model": "fcn8s-vgg11_bn",
    "width": 1 / 16,
    "hidden": 8,
    "batch": 4,
    "ema": 0.9,
    "minutes": 1,
}
PLAN = (Part(end=7, asked="minutes=1", evaluate_steps=3, evaluate_images=1, step_seconds=0.5),)


@pytest.fixture(scope="module", autouse=True)
def photos(tmp_path_factory):
    """Write eight photos to train on and two to evaluate on, each half dark and half bright."""
    folder, data = tmp_path_factory.mktemp("photos"), toy_data(10)
    for sample in data:
        write_image(folder / "images" / f"{sample.name}.png", sample.image)
        write_labels(folder / "masks" / f"{sample.name}.png", sample.labels, data.palette)
    (folder / "classes.txt").write_text("\n".join(data.classes))
    (folder / "train.txt").write_text("\n".join(data.names[:8]))
    (folder / "val.txt").write_text("\n".join(data.names[8:]))
    TINY["data"] = str(folder)


def attached(run, further=None, config=None):
    """Start or resume a run as the command does: with the settings in its folder."""
    experiment = Experiment(config or RunConfig(**run.read_config()))
    experiment.attach(run)
    experiment.further = further
    return experiment


def train(run, until=None, further=None, config=None):
    """Train a run; stop after `until` steps with a checkpoint, as a signal does."""
    experiment = attached(run, further, config)
    events = experiment.events()
    for event in events:
        if isinstance(event, Step) and event.number == until:
            events.close()
            experiment.stop("test")
    return experiment


def start(folder, **changes):
    config = RunConfig(**TINY | {"plan": PLAN} | changes)
    return create_run(folder, "train", "tiny", config.model_dump(mode="json"))


def files(run):
    names = ("last.safetensors", "best.safetensors", "config.yaml")
    found = {name: (run.folder / name).read_bytes() for name in names}
    return found | {"results": rows(run.results), "classes": run.per_class_history.read_bytes()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = start(tmp_path_factory.mktemp("whole"))
    train(run)
    return run


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_run_keeps_its_plan_and_ends_in_the_same_bytes(whole, tmp_path, stop):
    run = start(tmp_path)
    train(run, until=stop)
    assert attached(run).trainer.done == stop
    train(run)
    assert files(run) == files(whole)


def test_it_is_evaluated_where_it_was_planned(whole):
    assert [int(row["step"]) for row in whole.read_results()] == [3, 6, 7]
    experiment = attached(whole)
    assert len(experiment.val) == 2 and experiment.trainer.plan.images(2) == [0]


def test_minutes_are_planned_once_and_before_the_first_step(tmp_path, monkeypatch):
    run = start(tmp_path, plan=(), minutes=0.02)
    assert RunConfig(**run.read_config()).plan == ()
    experiment = attached(run)
    list(experiment.prepare())
    parts = RunConfig(**run.read_config()).plan
    assert experiment.trainer.steps == parts[-1].end >= 1 and not run.last.exists()
    assert parts[0].asked == "minutes=0.02" and parts[0].evaluate_steps

    def slower(trainer):
        raise AssertionError("it was measured again")

    monkeypatch.setattr(dry_run, "_time_steps", slower)
    again = attached(run, config=RunConfig(**run.read_config() | {"preflight": False}))
    list(again.prepare())
    assert again.trainer.plan.parts == parts


def test_measured_times_do_not_enter_the_model(whole, tmp_path):
    run = start(tmp_path, plan=(PLAN[0].model_copy(update={"step_seconds": 9.0}),))
    train(run)
    same, other = files(whole), files(run)
    assert same.pop("config.yaml") != other.pop("config.yaml") and same == other


@pytest.mark.parametrize(
    ("until", "further"),
    [(None, ("steps", 4)), (5, ("epochs", 2)), (None, ("minutes", 0.01)), (4, ("minutes", 0.01))],
)
def test_a_run_that_is_trained_further_is_reproduced_by_its_settings(tmp_path, until, further):
    run = start(tmp_path / "first")
    train(run, until)
    if until is None:
        run.write_summary({})
    experiment = train(run, further=further)
    done = until or PLAN[0].end
    assert not run.finished and experiment.trainer.done == experiment.trainer.steps > done
    part = experiment.config.plan[-1]
    assert (part.start, part.asked) == (done, f"{further[0]}={further[1]:g}")
    assert part.evaluate_images == 1, "as before, or the best model could not be compared"
    fresh = create_run(tmp_path / "second", "train", "tiny", run.read_config())
    train(fresh)
    assert files(fresh) == files(run)


def test_a_run_that_is_trained_further_is_resumed_there(tmp_path):
    run = start(tmp_path / "first")
    train(run)
    run.write_summary({})
    train(run, until=9, further=("steps", 5))
    assert attached(run).trainer.done == 9
    train(run)
    fresh = create_run(tmp_path / "second", "train", "tiny", run.read_config())
    train(fresh)
    assert files(fresh) == files(run)


def test_epochs_can_be_added_to_a_run_of_epochs(tmp_path):
    run = start(tmp_path / "first", plan=(), minutes=None, epochs=2)
    train(run)
    experiment = train(run, further=("epochs", 1))
    assert [part.end for part in experiment.config.plan] == [4, 6]
    assert [int(row["epoch"]) for row in run.read_results()] == [1, 2, 3]
    fresh = create_run(tmp_path / "second", "train", "tiny", run.read_config())
    train(fresh)
    assert files(fresh) == files(run)


def test_settings_of_another_plan_are_refused(whole, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in whole.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    changed = whole.config.read_text().replace("end: 7", "end: 9")
    (folder / "config.yaml").write_text(changed)
    with pytest.raises(ConfigError, match=r"plans 9 steps, but the checkpoint is from .* of 7"):
        attached(Run(folder))


def test_a_stopped_run_gets_a_report_of_its_best_model(whole, tmp_path):
    run = start(tmp_path)
    experiment = train(run, until=2)
    assert experiment.report_so_far() is None and not (run.folder / "report.html").exists()
    experiment = train(run, until=5)
    assert len(experiment.report_so_far().first.image_iou) >= 1
    page = (run.folder / "report.html").read_text()
    assert "stopped after step 5 of 7" in page and not run.finished
    train(run)
    assert files(run) == files(whole), "the report changes nothing"


def test_a_loop_of_your_own_gets_the_steps_that_fit():
    config = CONFIG.model_copy(update={"epochs": None, "minutes": 0.01})
    steps = list(fc.train("fcn8s-vgg11_bn", toy_data(), config))
    assert len(steps) >= 1, "at least one, even on a machine that has no time for it"
    assert (steps[-1].lr < config.learning_rate) == (len(steps) > 1)
