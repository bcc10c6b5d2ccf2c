import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fullconv.training.run.trackers import Tracking
from fullconv.training.run.trackers.tensorboard import last_step


def shown(folder):
    """Return what TensorBoard shows: tag -> [(step, value)]."""
    found = EventAccumulator(str(folder / "tensorboard")).Reload()
    tags = found.Tags()["scalars"]
    return {tag: [(e.step, round(e.value, 6)) for e in found.Scalars(tag)] for tag in tags}


def run(folder, steps, past=(), ends=True):
    tracking = Tracking(["tensorboard"])
    notes = tracking.begin(folder, "run", {"lr": 0.5}, [(s, {"loss": 1 / s}) for s in past])
    notes += [note for s in steps for note in tracking.log(s, {"loss": 1 / s, "iou/a b<": 0.25})]
    assert notes == []
    if ends:
        tracking.end(True)


def test_numbers_are_in_event_files_of_the_run_folder(tmp_path):
    run(tmp_path, [10, 20])
    assert shown(tmp_path) == {
        "loss": [(10, 0.1), (20, 0.05)],
        "iou/a b<": [(10, 0.25), (20, 0.25)],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]


def test_a_resumed_run_has_each_step_once(tmp_path):
    run(tmp_path, [10, 20, 30], ends=False)  # each step is in the file at once
    run(tmp_path, [30, 40], past=[10, 20])
    run(tmp_path, [60], past=[10, 20, 30, 40, 50])
    assert [step for step, _ in shown(tmp_path)["loss"]] == [10, 20, 30, 40, 50, 60]


def test_a_truncated_record_is_ignored(tmp_path):
    run(tmp_path, [10, 20])
    (file,) = (tmp_path / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    run(tmp_path, [30], past=[10, 20])
    assert last_step(tmp_path / "tensorboard") == 30
    assert [step for step, _ in shown(tmp_path)["loss"]] == [10, 20, 30]


def test_the_settings_are_logged_once(tmp_path):
    run(tmp_path, [10])
    run(tmp_path, [20])
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (text,) = found.Tensors("settings/text_summary")
    assert b"lr: 0.5" in text.tensor_proto.string_val[0]
