import pytest

from fullconv.errors import ConfigError, OutputError
from fullconv.evaluation.metrics import EpochIoU
from fullconv.io.visible import visible
from fullconv.training.run.folder import Run, create_run, find_newest, new_results, open_run


def test_folders_are_numbered_and_never_reused(tmp_path):
    names = [create_run(tmp_path, "train", "photos").folder.name for _ in range(3)]
    assert names == ["photos-001", "photos-002", "photos-003"]
    assert create_run(tmp_path, "train", "other").folder.name == "other-001"
    assert (tmp_path / "train" / "latest").resolve().name == "other-001"


@pytest.mark.parametrize("name", ["../../evil", "a/b", "a b", "ümlaut", "", "..."])
def test_no_name_escapes_its_folder(tmp_path, name):
    folder = create_run(tmp_path, "train", name).folder
    assert folder.parent == tmp_path / "train" and folder.is_dir()


def test_a_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another with --out"):
        create_run(tmp_path / "file", "train", "a")


def test_latest_points_to_results_once_they_are_written(tmp_path):
    latest = tmp_path / "evaluate" / "latest"
    with new_results(tmp_path, "evaluate", "a") as first:
        assert not latest.exists()
        (first / "metrics.json").write_text("1")
    assert latest.resolve() == first
    with pytest.raises(OutputError), new_results(tmp_path, "evaluate", "a") as second:
        (second / "half").write_text("1")
        raise OutputError("the disk is full")
    assert not second.exists() and latest.resolve() == first
    assert (first / "metrics.json").read_text() == "1"


def started(tmp_path, name):
    run = create_run(tmp_path, "train", name)
    run.write_config({"data": "x"})
    return run


def test_the_newest_unfinished_run_is_found(tmp_path):
    assert find_newest(tmp_path) is None
    first, second, third = (started(tmp_path, name) for name in ("a", "b", "c"))
    third.write_summary({"mean_iou": 1})
    assert find_newest(tmp_path) == second
    second.write_summary({})
    assert find_newest(tmp_path) == first


def test_a_folder_without_config_is_not_a_run(tmp_path):
    with pytest.raises(ConfigError, match=r"no config\.yaml"):
        open_run(tmp_path)


def test_results_are_read_up_to_a_step(tmp_path):
    run = Run(tmp_path)
    rows = [
        {"epoch": 1.0, "step": 10.0, "mean_iou": 0.5},
        {"epoch": 2.0, "step": 20.0, "mean_iou": 0.25},
    ]
    run.write_results(rows)
    assert run.read_results() == rows and run.read_results(until=15) == rows[:1]


def test_partly_written_files_are_removed(tmp_path):
    (tmp_path / ".last.safetensors.0badcafe.tmp").write_text("half")
    (tmp_path / "config.yaml").write_text("{}")
    Run(tmp_path).clean()
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_the_class_history_survives_any_class_name(tmp_path):
    run = Run(tmp_path)
    classes = ("epoch", "=cmd|' /C calc'!A0", 'a,"b', "道路")
    rows = [
        EpochIoU(1, 10, (0.0, 1.0, 0.25, float("nan"))),
        EpochIoU(3, 30, (0.5, 0.125, 1.0, 0.0)),
    ]
    assert run.read_class_history() == []
    run.write_class_history(classes, rows)
    found = run.read_class_history()
    assert [row[:2] for row in found] == [(1, 10), (3, 30)]
    assert [row.iou for row in found] == [pytest.approx(row.iou, nan_ok=True) for row in rows]
    assert [row.epoch for row in run.read_class_history(until=29)] == [1]
    header = run.per_class_history.read_text().splitlines()[0]
    assert header.startswith("epoch,step,epoch,'=cmd")


def test_a_column_missing_in_earlier_rows_is_empty_there(tmp_path):
    run = Run(tmp_path)
    run.write_results([{"epoch": 1.0, "step": 10.0}, {"epoch": 2.0, "step": 20.0, "memory": 5.0}])
    first, second = run.read_results()
    assert first["memory"] != first["memory"] and second["memory"] == 5


def test_a_run_is_no_data_of_the_folder_around_it(tmp_path):
    create_run(tmp_path, "train", "photos")
    with new_results(tmp_path, "check", "run") as folder:
        assert not [*visible(folder.parent)]
    assert not [*visible(tmp_path / "train")]
