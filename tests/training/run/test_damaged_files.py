"""Every file that resuming a run reads, damaged in every way: one sentence, or no loss at all."""

import pytest

from fullconv.cli._train_config import resumed_settings
from fullconv.config import RunConfig
from fullconv.errors import ConfigError
from fullconv.evaluation.metrics import EpochIoU
from fullconv.training.fingerprint import DataFingerprint
from fullconv.training.run.event_log import EventLog
from fullconv.training.run.folder import Run
from fullconv.training.run.trackers._state import read_state, write_state
from fullconv.training.run.trackers._wandb_api import WandbLikeTracker

DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) * 3 // 5],
    "not UTF-8": lambda content: content[:9] + b"\xff\xfe" + content[9:],
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "zeros": lambda content: bytes(len(content)),
    "a list": lambda content: b"[]",
    "an object": lambda content: b"{}",
    "a number": lambda content: b"3",
    "a text": lambda content: b'"x"',
    "nested": lambda content: b"[" * 100_000,
    "other types": lambda content: content.replace(b"1", b"[]").replace(b'"a', b'"b": [], "a'),
    "other keys": lambda content: content.replace(b"e", b"x"),
    "large numbers": lambda content: content.replace(b"1", b"1e999"),
    "twice": lambda content: content * 2,
}

READERS = {
    "config": lambda run: resumed_settings(run, {}),
    "results": lambda run: run.read_results(),
    "per_class_history": lambda run: run.read_class_history(),
    "events": lambda run: EventLog(run.events).events,
    "tracking.json": lambda run: read_state(run.folder, "wandb"),
}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    run.write_config(RunConfig(data="scenes:4", stages=[{"stride": 32}]).model_dump(mode="json"))
    run.write_results([{"epoch": n, "step": 10 * n, "loss": 0.5} for n in (1, 2)])
    rows = [EpochIoU(n, 10 * n, (0.5, float("nan"))) for n in (1, 2)]
    run.write_class_history(("sky", "road"), rows)
    events = EventLog(run.events)
    events.add("start", 0, device="cpu")
    events.add("note", 11, text="the loss rose")
    write_state(tmp_path, "wandb", id="abc1", step=10)
    return run


def path_of(run, name):
    return getattr(run, name, run.folder / name)


def test_every_file_that_resuming_reads_is_listed():
    named = {name for name, member in vars(Run).items() if isinstance(member, property)}
    # data.json is below; of summary.json only the existence counts; others are checkpoints.
    assert named - READERS.keys() == {"data", "summary", "finished", "last", "best"}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_or_read(run, name, damage):
    path = path_of(run, name)
    sound = READERS[name](run)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    try:
        found = READERS[name](run)
    except ConfigError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        assert "expected" in str(error) or "restore" in str(error)
    else:
        assert type(found) is type(sound)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_or_missing(run, name):
    path = path_of(run, name)
    path.unlink()
    path.mkdir()
    try:
        assert not READERS[name](run)
    except ConfigError as error:
        assert str(path.parent) in str(error)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_fingerprint_is_missing_or_another(tmp_path, damage):
    path = tmp_path / "data.json"
    sound = DataFingerprint(("sky", "road"), "1f", "0a", {"train": {"a": ("1", "2")}})
    path.write_text(sound.as_text())
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = DataFingerprint.read(path)
    assert found is None or (found == sound) == (found.digest == sound.digest)


def test_a_damaged_state_of_a_tracker_disables_it_and_says_what_to_do(run):
    class Fake(WandbLikeTracker):
        name = "fake"

        def __init__(self):
            pass

        def _init(self, name, settings):
            raise AssertionError("the state was not read first")

    (run.folder / "tracking.json").write_text('{"fake": {"id": []}}')
    with pytest.raises(ConfigError, match=r"tracking\.json: 'fake' is .*move the file away"):
        Fake().begin(run.folder, "a", {})
