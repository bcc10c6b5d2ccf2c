"""A job predicts each photo once, whatever interrupts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.journal import Journal
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.merge import merge_shards
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.errors import ConfigError, DataError, OutputError
from fullconv.io.images import read_mask
from fullconv.io.visible import RESULTS
from fullconv.model import load
from photos import content, write_model, write_photos

COUNT = 9


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a model and a folder of photos."""
    folder = tmp_path_factory.mktemp("data")
    return write_model(folder / "model.safetensors"), write_photos(folder / "photos", COUNT)


@pytest.fixture
def plan(data, tmp_path):
    """Plan a job; by default of all photos, into `out`."""
    photos = data[1]

    def make(out=None, sources=None, model=data[0], **options):
        resume = {key: options.pop(key) for key in ("fresh", "retry_failed") if key in options}
        inputs = resolve_inputs([str(photos)] if sources is None else sources)
        out = tmp_path / "out" if out is None else out
        options |= {"fresh": resume.get("fresh", False)}
        job = create_job(load(model), model, inputs, out=out, **options)
        return plan_resume(job, inputs, **resume)

    return make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_predictions_equal_those_of_the_model(data, plan, tmp_path):
    list(run_job(plan(kinds=("labels",))))
    model = load(data[0])
    for path in data[1].iterdir():
        found = read_mask(tmp_path / "out" / "labels" / path.name)
        assert (found == model.predict(path).labels).all() and len(set(found.ravel())) > 1


def test_the_manifest_lists_predictions_in_input_order(plan, tmp_path):
    list(run_job(plan()))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert [row["name"] for row in rows] == [f"photo-{number:03d}" for number in range(COUNT)]
    for row in rows:
        assert all((tmp_path / "out" / file).is_file() for file in row["files"].values())
        assert sum(row["pixels"].values()) == row["height"] * row["width"] == 480
    assert len({row["key"] for row in rows}) == COUNT
    assert set(os.listdir(tmp_path / "out")) == {
        *(RESULTS, "areas.csv", "labels", "overlay", "manifest.jsonl", "predict.json")
    }


def test_finished_photos_are_not_predicted_again(plan, tmp_path):
    records = run_job(plan())
    done = {next(records).name for _ in range(4)}
    records.close()
    pending = plan()
    assert {record.name for record in pending.records.values()} == done
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("labels/*.png")}
    new = {record.name for record in run_job(pending)}
    assert not done & new and len(done | new) == COUNT
    kept = [path for path, mtime in before.items() if path.stat().st_mtime_ns == mtime]
    assert len(kept) >= len(done)
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    assert content(tmp_path / "out") == content(tmp_path / "uninterrupted")
    assert not plan().left


def test_a_missing_file_or_a_changed_photo_is_predicted_again(plan, tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    sources = [str(photos)]
    list(run_job(plan(sources=sources)))
    (tmp_path / "out" / "overlay" / "photo-001.jpg").unlink()
    (photos / "photo-002.png").write_bytes((photos / "photo-000.png").read_bytes() + b" ")
    assert [item.name for item in plan(sources=sources).left] == ["photo-001", "photo-002"]


def test_one_bad_photo_is_reported_and_the_others_are_predicted(plan, tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    good = (photos / "photo-001.png").read_bytes()
    (photos / "photo-001.png").write_bytes(good[:60])
    sources = [str(photos)]
    records = list(run_job(plan(sources=sources)))
    assert [type(record) for record in records] == [
        PredictionRecord,
        FailureRecord,
        PredictionRecord,
    ]
    (row,) = lines(tmp_path / "out" / "errors.jsonl")
    assert row["id"].endswith("photo-001.png") and "damaged" in row["error"]
    (photos / "photo-001.png").write_bytes(good)
    assert not plan(sources=sources).left
    list(run_job(plan(sources=sources, retry_failed=True)))
    assert not (tmp_path / "out" / "errors.jsonl").exists()
    assert len(lines(tmp_path / "out" / "manifest.jsonl")) == 3


def test_an_unexpected_error_is_reported_as_such(plan, monkeypatch):
    from fullconv.batch.worker import Worker

    compute = Worker.compute
    seen = []

    def fail_once(self, photo, opened):
        seen.append(photo)
        if len(seen) == 2:
            raise ZeroDivisionError("by zero")
        return compute(self, photo, opened)

    monkeypatch.setattr(Worker, "compute", fail_once)
    records = list(run_job(plan()))
    failed = [record for record in records if isinstance(record, FailureRecord)]
    assert len(failed) == 1 and "ZeroDivisionError: by zero" in failed[0].error
    assert failed[0].unexpected


def test_another_model_or_other_options_are_refused(data, plan, tmp_path):
    list(run_job(plan()))
    with pytest.raises(ConfigError, match=r"other options \(save labels,overlay; now save labels"):
        plan(kinds=("labels",))
    with pytest.raises(ConfigError, match="other options"):
        plan(scales=(0.5, 1.0))
    with pytest.raises(ConfigError, match="of all inputs"):
        plan(shard=(0, 2))
    other = write_model(tmp_path / "other.safetensors", seed=2)
    with pytest.raises(ConfigError, match="another model"):
        plan(model=other)
    list(run_job(plan(model=other, fresh=True, kinds=("labels",))))
    assert not list(tmp_path.rglob("overlay/*")), "the other model's predictions are removed"


def test_a_job_without_predictions_is_replaced(plan, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"no picture")
    sources = [str(photos)]
    list(run_job(plan(sources=sources)))
    write_photos(photos, 1)
    (photos / "a.png").unlink()
    assert len(plan(sources=sources, kinds=("labels",)).left) == 1
    list(run_job(plan(sources=sources, kinds=("labels",))))
    assert not (tmp_path / "out" / "errors.jsonl").exists()
    with pytest.raises(ConfigError, match="other options"):
        plan(sources=sources)


def test_fresh_removes_other_shards_and_their_collected_files(plan, tmp_path):
    kinds = ("labels", "coco", "contact")
    for index in range(2):
        list(run_job(plan(kinds=kinds, shard=(index, 2))))
    with pytest.raises(ConfigError, match=r"holds predictions of 2 shards; .* --fresh"):
        plan(kinds=kinds)
    list(run_job(plan(kinds=kinds, fresh=True)))
    list(run_job(plan(kinds=kinds, out=tmp_path / "uninterrupted")))
    assert content(tmp_path / "out") == content(tmp_path / "uninterrupted")


@pytest.mark.parametrize("name", ["predict.json", "manifest.jsonl"])
def test_damaged_lists_are_named_and_fresh_replaces_them(plan, tmp_path, name):
    list(run_job(plan()))
    (tmp_path / "out" / name).write_text("{")
    with pytest.raises(DataError, match=f"{name}.*start over with --fresh"):
        plan()
    list(run_job(plan(fresh=True)))
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    assert content(tmp_path / "out") == content(tmp_path / "uninterrupted")


def test_a_fresh_shard_keeps_the_others(plan, tmp_path):
    for index in range(2):
        list(run_job(plan(shard=(index, 2))))
    before = content(tmp_path / "out")
    plan(shard=(0, 2), fresh=True)
    after = content(tmp_path / "out")
    assert after.items() < before.items() and "manifest-1-of-2.jsonl" in after
    list(run_job(plan(shard=(0, 2))))
    assert content(tmp_path / "out") == before


def test_predictions_of_other_inputs_are_counted(plan, data):
    list(run_job(plan()))
    pending = plan(sources=[str(data[1] / "photo-001.png")])
    assert pending.others == COUNT - 1 and not pending.left


def test_collected_files_do_not_depend_on_interruptions(plan, tmp_path):
    kinds = ("labels", "coco", "contact")
    records = run_job(plan(kinds=kinds))
    for _ in range(3):
        next(records)
    records.close()
    list(run_job(plan(kinds=kinds)))
    list(run_job(plan(kinds=kinds, out=tmp_path / "uninterrupted")))
    expected = content(tmp_path / "uninterrupted")
    assert content(tmp_path / "out") == expected
    for index in (1, 0, 2):
        list(run_job(plan(kinds=kinds, out=tmp_path / "shards", shard=(index, 3))))
    merge_shards([str(tmp_path / "shards")])
    merged = content(tmp_path / "shards")
    assert {"coco.json", "contact-sheets/001.jpg"} <= expected.keys()
    assert all(merged[name] == b for name, b in expected.items() if name != "predict.json")


def test_a_second_process_is_refused(plan):
    pending = plan()
    with (
        Journal(pending.job.target, pending.job.description),
        pytest.raises(ConfigError, match="another `fullconv predict`"),
    ):
        list(run_job(pending))
    assert len(list(run_job(pending))) == COUNT


def test_a_full_disk_aborts_the_job_and_keeps_predictions(plan, tmp_path, monkeypatch):
    from fullconv.io.storage import Folder

    write, files = Folder.write, []

    def write_until_full(self, name, content):
        files.append(name)
        if len(files) > 9:
            raise OutputError(f"{name} could not be written: the disk is full")
        write(self, name, content)

    monkeypatch.setattr(Folder, "write", write_until_full)
    with pytest.raises(OutputError, match="disk is full"):
        list(run_job(plan()))
    monkeypatch.undo()
    pending = plan()
    assert 0 < len(pending.left) < COUNT
    list(run_job(pending))
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    assert content(tmp_path / "out") == content(tmp_path / "uninterrupted")


def test_an_incomplete_line_of_the_journal_is_dropped(plan, tmp_path):
    records = run_job(plan())
    for _ in range(3):
        next(records)
    records.close()
    journal = tmp_path / "out" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert len(plan().records) == 2
    list(run_job(plan()))
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    assert content(tmp_path / "out") == content(tmp_path / "uninterrupted")


def test_temporary_files_of_this_shard_are_removed(plan, tmp_path):
    labels = tmp_path / "out" / "labels"
    labels.mkdir(parents=True)
    (labels / ".photo-003.png.0123abcd.tmp").write_bytes(b"partial")
    (labels / ".of another shard.png.0123abcd.tmp").write_bytes(b"partial")
    (labels.parent / ".predict.json.0123abcd.tmp").write_bytes(b"partial")
    (labels.parent / ".predict-2-of-3.json.0123abcd.tmp").write_bytes(b"partial")
    list(run_job(plan()))
    left = [path.name for path in labels.parent.glob(".*")]
    assert left == [".predict-2-of-3.json.0123abcd.tmp"]
    assert [path.name for path in labels.glob(".*")] == [".of another shard.png.0123abcd.tmp"]


def test_stopping_finishes_started_photos_only(plan, tmp_path):
    stop_requests = []
    records = []
    for record in run_job(plan(), stop_requests):
        records.append(record)
        stop_requests.append("now")
    assert 1 <= len(records) < COUNT
    assert len(lines(tmp_path / "out" / "manifest.jsonl")) == len(records)


def test_shards_in_any_order_merge_to_the_undivided_job(plan, tmp_path):
    shards = tmp_path / "shards"
    for index in (2, 0, 3, 0):
        list(run_job(plan(out=shards, shard=(index, 4))))
    records = run_job(plan(out=shards, shard=(1, 4)))
    next(records, None)
    records.close()  # as a kill would
    list(run_job(plan(out=shards, shard=(1, 4))))
    merged = merge_shards([str(shards)])
    list(run_job(plan()))
    expected = content(tmp_path / "out")
    for name in ("manifest.jsonl", "areas.csv"):
        assert (shards / name).read_bytes() == expected[name]
    assert {n: b for n, b in content(shards).items() if "/" in n} == {
        n: b for n, b in expected.items() if "/" in n
    }
    before = content(shards)
    assert merge_shards([str(shards)]) == merged and content(shards) == before


@pytest.mark.parametrize("at_once", [False, True])
def test_inputs_that_are_added_never_get_the_files_of_another_shard(
    data, plan, tmp_path, monkeypatch, at_once
):
    monkeypatch.chdir(tmp_path)
    photo = next(data[1].iterdir()).read_bytes()

    def grow(folders):
        for folder in folders:
            Path("in", folder, "a").mkdir(parents=True)
            Path("in", folder, "a", "x.png").write_bytes(photo)
        planned = (plan(sources=["in"], shard=(index, 2), kinds=("labels",)) for index in (1, 0))
        for pending in [*planned] if at_once else planned:
            list(run_job(pending))

    grow("efgh")
    before = {record.id: record for record in merge_shards([str(tmp_path / "out")])}
    grow("abcd")
    after = {record.id: record for record in merge_shards([str(tmp_path / "out")])}
    assert before.items() <= after.items()
    assert len({record.files["labels"] for record in after.values()}) == 8


def test_tta_changes_the_prediction(plan, tmp_path):
    list(run_job(plan(kinds=("labels",))))
    list(run_job(plan(kinds=("labels",), scales=(1.0, 1.5), out=tmp_path / "tta")))
    plain, averaged = content(tmp_path / "out" / "labels"), content(tmp_path / "tta" / "labels")
    assert plain.keys() == averaged.keys() and plain != averaged


def test_a_store_gets_the_same_files_as_a_folder(plan, data):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    try:
        for path in data[1].iterdir():
            memory.pipe_file(f"/in/{path.name}", path.read_bytes())
        sources = ["memory://in"]
        records = run_job(plan(sources=sources, out="memory://out", shard=(0, 1)))
        next(records)
        records.close()
        pending = plan(sources=sources, out="memory://out")
        assert len(pending.records) == 1
        list(run_job(pending))
        stored = {name.removeprefix("/out/"): memory.cat_file(name) for name in memory.find("/out")}
        assert len(lines_of(stored["manifest.jsonl"])) == COUNT
        assert not [name for name in stored if "journal" in name]
        list(run_job(plan()))
        expected = content(Path(plan().job.out))
        assert {n: b for n, b in stored.items() if "/" in n} == {
            n: b for n, b in expected.items() if "/" in n
        }
    finally:
        memory.rm("/in", recursive=True)
        memory.rm("/out", recursive=True)


def lines_of(text):
    return text.decode().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20])
def test_kills_at_random_moments_do_not_change_the_result(kills, tmp_path):
    program = Path(__file__).parents[1] / "killing_predict.py"
    command = [sys.executable, str(program), str(tmp_path), str(kills)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["kills"] >= kills and not report["different"] and not report["partial"]
    assert report["again"] <= report["in_flight"] * report["kills"]
