"""Many photos: each answered once, whatever happens in between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.job import create_job
from fullconv.batch.journal import Journal
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.merge import merge
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import answers
from fullconv.errors import ConfigError, DataError, OutputError
from fullconv.export.exported import open_model
from fullconv.io.images import read_mask
from photos import content, write_model, write_photos

COUNT = 9


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A model, and a folder of photos."""
    folder = tmp_path_factory.mktemp("asked")
    return write_model(folder / "model.safetensors"), write_photos(folder / "photos", COUNT)


@pytest.fixture
def todo(asked, tmp_path):
    """What is to be done in a folder, by default all photos in `out`."""
    photos = asked[1]

    def make(out=None, given=None, model=asked[0], **options):
        later = {key: options.pop(key) for key in ("fresh", "retry_failed") if key in options}
        inputs = resolve_inputs([str(photos)] if given is None else given)
        out = tmp_path / "out" if out is None else out
        work = create_job(open_model(model), model, inputs, out=out, **options)
        return plan_resume(work, inputs, **later)

    return make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_photo_is_answered_as_the_model_answers_it(asked, todo, tmp_path):
    list(answers(todo(kinds=("labels",))))
    model = open_model(asked[0])
    for path in asked[1].iterdir():
        found = read_mask(tmp_path / "out" / "labels" / path.name)
        assert (found == model.predict(path).labels).all() and len(set(found.ravel())) > 1


def test_the_manifest_tells_the_answers_in_the_inputs_order(todo, tmp_path):
    list(answers(todo()))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert [row["name"] for row in rows] == [f"photo-{number:03d}" for number in range(COUNT)]
    for row in rows:
        assert all((tmp_path / "out" / file).is_file() for file in row["files"].values())
        assert sum(row["pixels"].values()) == row["height"] * row["width"] == 480
    assert len({row["key"] for row in rows}) == COUNT
    assert set(os.listdir(tmp_path / "out")) == {
        *("areas.csv", "labels", "overlay", "manifest.jsonl", "predict.json")
    }


def test_what_is_done_is_not_done_again(todo, tmp_path):
    some = answers(todo())
    done = {next(some).name for _ in range(4)}
    some.close()
    whole = todo()
    assert {one.name for one in whole.records.values()} == done
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("labels/*.png")}
    new = {record.name for record in answers(whole)}
    assert not done & new and len(done | new) == COUNT
    kept = [path for path, when in before.items() if path.stat().st_mtime_ns == when]
    assert len(kept) >= len(done)
    list(answers(todo(out=tmp_path / "at once")))
    assert content(tmp_path / "out") == content(tmp_path / "at once")
    assert not todo().left


def test_an_answer_whose_file_is_gone_or_whose_photo_changed_is_done_again(todo, tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    given = [str(photos)]
    list(answers(todo(given=given)))
    (tmp_path / "out" / "overlay" / "photo-001.jpg").unlink()
    (photos / "photo-002.png").write_bytes((photos / "photo-000.png").read_bytes() + b" ")
    assert [item.name for item in todo(given=given).left] == ["photo-001", "photo-002"]


def test_one_bad_photo_is_reported_and_the_rest_go_on(todo, tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    good = (photos / "photo-001.png").read_bytes()
    (photos / "photo-001.png").write_bytes(good[:60])
    given = [str(photos)]
    records = list(answers(todo(given=given)))
    assert [type(record) for record in records] == [
        PredictionRecord,
        FailureRecord,
        PredictionRecord,
    ]
    (row,) = lines(tmp_path / "out" / "errors.jsonl")
    assert row["id"].endswith("photo-001.png") and "damaged" in row["error"]
    (photos / "photo-001.png").write_bytes(good)
    assert not todo(given=given).left
    list(answers(todo(given=given, retry_failed=True)))
    assert not (tmp_path / "out" / "errors.jsonl").exists()
    assert len(lines(tmp_path / "out" / "manifest.jsonl")) == 3


def test_a_bug_in_one_answer_is_told_as_such(todo, monkeypatch):
    from fullconv.batch.worker import Worker

    compute = Worker.compute
    seen = []

    def breaks(self, loaded):
        seen.append(loaded)
        if len(seen) == 2:
            raise ZeroDivisionError("by nought")
        return compute(self, loaded)

    monkeypatch.setattr(Worker, "compute", breaks)
    records = list(answers(todo()))
    failed = [record for record in records if isinstance(record, FailureRecord)]
    assert len(failed) == 1 and "ZeroDivisionError: by nought" in failed[0].error


def test_another_model_or_other_options_are_refused(asked, todo, tmp_path):
    list(answers(todo()))
    with pytest.raises(ConfigError, match=r"other options \(save labels,overlay; now save labels"):
        todo(kinds=("labels",))
    with pytest.raises(ConfigError, match="other options"):
        todo(scales=(0.5, 1.0))
    with pytest.raises(ConfigError, match="of all inputs"):
        todo(shard=(0, 2))
    other = write_model(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(ConfigError, match="another model"):
        todo(model=other)
    list(answers(todo(model=other, fresh=True, kinds=("labels",))))
    assert not list(tmp_path.rglob("overlay/*")), "the others' answers are gone"


def test_a_job_that_came_to_no_answer_is_no_obstacle(todo, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"no picture")
    given = [str(photos)]
    list(answers(todo(given=given)))
    write_photos(photos, 1)
    (photos / "a.png").unlink()
    assert len(todo(given=given, kinds=("labels",)).left) == 1
    list(answers(todo(given=given, kinds=("labels",))))
    assert not (tmp_path / "out" / "errors.jsonl").exists()
    with pytest.raises(ConfigError, match="other options"):
        todo(given=given)


def test_begun_anew_other_numbers_of_shards_and_their_gathered_files_go(todo, tmp_path):
    kinds = ("labels", "coco", "contact")
    for index in range(2):
        list(answers(todo(kinds=kinds, shard=(index, 2))))
    with pytest.raises(ConfigError, match=r"the answers of 2 shards; .* --fresh"):
        todo(kinds=kinds)
    list(answers(todo(kinds=kinds, fresh=True)))
    list(answers(todo(kinds=kinds, out=tmp_path / "at once")))
    assert content(tmp_path / "out") == content(tmp_path / "at once")


@pytest.mark.parametrize("name", ["predict.json", "manifest.jsonl"])
def test_lists_that_are_damaged_are_told_and_can_be_begun_anew(todo, tmp_path, name):
    list(answers(todo()))
    (tmp_path / "out" / name).write_text("{")
    with pytest.raises(DataError, match=f"{name}.*begin anew with --fresh"):
        todo()
    list(answers(todo(fresh=True)))
    list(answers(todo(out=tmp_path / "at once")))
    assert content(tmp_path / "out") == content(tmp_path / "at once")


def test_begun_anew_a_shard_leaves_the_others(todo, tmp_path):
    for index in range(2):
        list(answers(todo(shard=(index, 2))))
    before = content(tmp_path / "out")
    todo(shard=(0, 2), fresh=True)
    after = content(tmp_path / "out")
    assert after.items() < before.items() and "manifest-1-of-2.jsonl" in after
    list(answers(todo(shard=(0, 2))))
    assert content(tmp_path / "out") == before


def test_answers_to_other_inputs_are_counted(todo, asked):
    list(answers(todo()))
    some = todo(given=[str(asked[1] / "photo-001.png")])
    assert some.others == COUNT - 1 and not some.left


def test_gathered_files_are_the_same_after_any_interruption(todo, tmp_path):
    kinds = ("labels", "coco", "contact")
    some = answers(todo(kinds=kinds))
    for _ in range(3):
        next(some)
    some.close()
    list(answers(todo(kinds=kinds)))
    list(answers(todo(kinds=kinds, out=tmp_path / "at once")))
    whole = content(tmp_path / "at once")
    assert content(tmp_path / "out") == whole
    for index in (1, 0, 2):
        list(answers(todo(kinds=kinds, out=tmp_path / "shards", shard=(index, 3))))
    merge([str(tmp_path / "shards")])
    merged = content(tmp_path / "shards")
    assert {"coco.json", "contact-sheets/001.jpg"} <= whole.keys()
    assert all(merged[name] == data for name, data in whole.items() if name != "predict.json")


def test_only_one_process_works_in_a_folder(todo):
    waiting = todo()
    with (
        Journal(waiting.target, waiting.work.job),
        pytest.raises(ConfigError, match="another `fullconv predict`"),
    ):
        list(answers(waiting))
    assert len(list(answers(waiting))) == COUNT


def test_a_full_disk_ends_all_and_keeps_what_is_there(todo, tmp_path, monkeypatch):
    from fullconv.io.storage import Folder

    write, files = Folder.write, []

    def full(self, name, content):
        files.append(name)
        if len(files) > 9:
            raise OutputError(f"{name} could not be written: the disk is full")
        write(self, name, content)

    monkeypatch.setattr(Folder, "write", full)
    with pytest.raises(OutputError, match="disk is full"):
        list(answers(todo()))
    monkeypatch.undo()
    left = todo()
    assert 0 < len(left.left) < COUNT
    list(answers(left))
    list(answers(todo(out=tmp_path / "at once")))
    assert content(tmp_path / "out") == content(tmp_path / "at once")


def test_half_a_line_of_the_journal_counts_as_none(todo, tmp_path):
    some = answers(todo())
    for _ in range(3):
        next(some)
    some.close()
    journal = tmp_path / "out" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert len(todo().records) == 2
    list(answers(todo()))
    list(answers(todo(out=tmp_path / "at once")))
    assert content(tmp_path / "out") == content(tmp_path / "at once")


def test_what_a_kill_left_half_written_goes_and_other_shards_files_stay(todo, tmp_path):
    labels = tmp_path / "out" / "labels"
    labels.mkdir(parents=True)
    (labels / ".photo-003.png.0123abcd.tmp").write_bytes(b"half")
    (labels / ".of another shard.png.0123abcd.tmp").write_bytes(b"half")
    (labels.parent / ".predict.json.0123abcd.tmp").write_bytes(b"half")
    (labels.parent / ".predict-2-of-3.json.0123abcd.tmp").write_bytes(b"half")
    list(answers(todo()))
    left = [path.name for path in labels.parent.glob(".*")]
    assert left == [".predict-2-of-3.json.0123abcd.tmp"]
    assert [path.name for path in labels.glob(".*")] == [".of another shard.png.0123abcd.tmp"]


def test_stopping_finishes_what_was_begun_and_no_more(todo, tmp_path):
    stopped = []
    records = []
    for record in answers(todo(), stopped):
        records.append(record)
        stopped.append("now")
    assert 1 <= len(records) < COUNT
    assert len(lines(tmp_path / "out" / "manifest.jsonl")) == len(records)


def test_shards_in_any_order_one_of_them_twice_make_the_whole(todo, tmp_path):
    shards = tmp_path / "shards"
    for index in (2, 0, 3, 0):
        list(answers(todo(out=shards, shard=(index, 4))))
    some = answers(todo(out=shards, shard=(1, 4)))
    next(some, None)
    some.close()  # as a kill would
    list(answers(todo(out=shards, shard=(1, 4))))
    merged = merge([str(shards)])
    list(answers(todo()))
    whole = content(tmp_path / "out")
    for name in ("manifest.jsonl", "areas.csv"):
        assert (shards / name).read_bytes() == whole[name]
    assert {n: b for n, b in content(shards).items() if "/" in n} == {
        n: b for n, b in whole.items() if "/" in n
    }
    before = content(shards)
    assert merge([str(shards)]) == merged and content(shards) == before


def test_averaging_over_scales_is_another_answer(todo, tmp_path):
    list(answers(todo(kinds=("labels",))))
    list(answers(todo(kinds=("labels",), scales=(1.0, 1.5), out=tmp_path / "averaged")))
    plain, averaged = content(tmp_path / "out" / "labels"), content(tmp_path / "averaged/labels")
    assert plain.keys() == averaged.keys() and plain != averaged


def test_a_store_gets_the_same_files_as_a_folder(todo, asked):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    try:
        for path in asked[1].iterdir():
            memory.pipe_file(f"/in/{path.name}", path.read_bytes())
        given = ["memory://in"]
        some = answers(todo(given=given, out="memory://out", shard=(0, 1)))
        next(some)
        some.close()
        again = todo(given=given, out="memory://out")
        assert len(again.records) == 1
        list(answers(again))
        stored = {name.removeprefix("/out/"): memory.cat_file(name) for name in memory.find("/out")}
        assert len(lines_of(stored["manifest.jsonl"])) == COUNT
        assert not [name for name in stored if "journal" in name]
        list(answers(todo()))
        whole = content(Path(todo().work.out))
        assert {n: b for n, b in stored.items() if "/" in n} == {
            n: b for n, b in whole.items() if "/" in n
        }
    finally:
        memory.rm("/in", recursive=True)
        memory.rm("/out", recursive=True)


def lines_of(text):
    return text.decode().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20])
def test_kills_at_random_moments_change_nothing(kills, tmp_path):
    program = Path(__file__).parents[1] / "killing_predict.py"
    command = [sys.executable, str(program), str(tmp_path), str(kills)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["kills"] >= kills and not report["different"] and not report["partial"]
    assert report["again"] <= report["in_flight"] * report["kills"]
