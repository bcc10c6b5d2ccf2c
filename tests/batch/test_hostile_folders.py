"""What a job finds in its output folder never makes it touch another file."""

import json
import os
from dataclasses import replace

import pytest

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.journal import Journal, claimed
from fullconv.batch.manifest import FailureRecord, PredictionRecord, to_json_line
from fullconv.batch.merge import merge_shards
from fullconv.batch.predict import write_prediction
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.errors import ConfigError, DataError
from fullconv.model import load
from photos import content, write_model, write_photos

COUNT = 2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a working folder with a model, photos and a file that must not be touched."""
    write_model(tmp_path / "model.safetensors")
    write_photos(tmp_path / "photos", COUNT)
    (tmp_path / "victim.txt").write_bytes(b"precious, without a line end")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(out="out", source="photos", kinds=("labels",), **options):
    resume = {key: options.pop(key) for key in ("fresh", "retry_failed") if key in options}
    inputs = resolve_inputs([source])
    job = create_job(
        load("model.safetensors"), "model.safetensors", inputs, out=out, kinds=kinds, **options
    )
    return plan_resume(job, inputs, **resume)


def edit(path, **changes):
    """Change attributes of the first record of a list."""
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps(json.loads(first) | changes) + "\n" + "".join(others))


HOSTILE = {
    "parent": {"files": {"labels": "../victim.txt"}},
    "absolute": {"files": {"labels": "ABSOLUTE"}},
    "other folder": {"files": {"labels": "own/notes.txt"}},
    "other file": {"files": {"labels": "labels/notes.txt"}},
    "unknown kind": {"files": {"own": "own/notes.txt"}, "name": "notes"},
    "name": {"name": "../victim"},
    "list": {"files": ["../victim.txt"]},
    "number": {"files": {"labels": 7}},
    "bytes": {"bytes": "many"},
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["manifest.jsonl", "journal.jsonl"])
def test_fresh_removes_only_predictions_of_the_folder(folder, case, name):
    list(run_job(plan()))
    for own in ("own/notes.txt", "labels/notes.txt"):
        (folder / "out" / own).parent.mkdir(exist_ok=True)
        (folder / "out" / own).write_text("mine")
    (folder / "out/manifest.jsonl").rename(folder / "out" / name)
    changes = HOSTILE[case]
    if case == "absolute":
        changes = {"files": {"labels": str(folder / "victim.txt")}}
    edit(folder / "out" / name, **changes)
    if case != "unknown kind":
        with pytest.raises(DataError, match=rf"{name}, line 1.*start over with --fresh"):
            plan()
    pending = plan(fresh=True)
    assert (folder / "victim.txt").read_bytes() == b"precious, without a line end"
    assert (folder / "out/own/notes.txt").read_text() == "mine"
    assert (folder / "out/labels/notes.txt").read_text() == "mine"
    assert bool(pending.notes) == (case != "unknown kind")
    assert len(list(run_job(pending))) == COUNT and len(pending.left) == COUNT


def test_nothing_is_removed_beside_a_predict_at_work(folder):
    pending = plan()
    list(run_job(pending))
    before = content(folder / "out")
    with Journal(pending.job.target, pending.job.description):
        with pytest.raises(ConfigError, match="another `fullconv predict` is writing to out"):
            plan(fresh=True)
        with pytest.raises(ConfigError, match="another `fullconv predict` is writing to out"):
            plan(fresh=True, kinds=("labels", "overlay"))
        with pytest.raises(ConfigError, match="still at work on out"):
            merge_shards(["out"])
    (folder / "out/journal.jsonl").unlink()
    assert content(folder / "out") == before


def test_a_fresh_undivided_job_waits_for_every_shard(folder):
    for index in range(2):
        list(run_job(plan(shard=(index, 2))))
    before = content(folder / "out")
    with claimed(plan(shard=(1, 2)).job.target, ["journal-1-of-2.jsonl"]):
        with pytest.raises(ConfigError, match="another `fullconv predict`"):
            plan(fresh=True)
        assert content(folder / "out").items() >= before.items()
    assert content(folder / "out") == before, "claims leave nothing behind"


def test_a_plan_is_not_carried_out_after_another_process_changed_the_lists(folder):
    list(run_job(plan()))
    pending = plan()
    plan(fresh=True)
    with pytest.raises(ConfigError, match="has changed out in the meantime; run the command again"):
        list(run_job(pending))
    assert not (folder / "out/manifest.jsonl").exists()


def hard_link(path):
    os.link("victim.txt", path)


LINKS = {
    "link": lambda path: path.symlink_to("../victim.txt"),
    "hard link": hard_link,
    "pipe": os.mkfifo,
    "folder": os.mkdir,
}


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_journal_that_is_no_file_of_its_own_is_refused(folder, kind, fresh):
    (folder / "out").mkdir()
    LINKS[kind](folder / "out/journal.jsonl")
    with pytest.raises((DataError, ConfigError, OSError), match=r"journal\.jsonl"):
        list(run_job(plan(fresh=fresh)))
    assert (folder / "victim.txt").read_bytes() == b"precious, without a line end"


@pytest.mark.parametrize("name", ["labels", "overlay", "contact-sheets", "coco"])
def test_a_folder_that_is_a_link_is_refused_before_anything_is_written(folder, name):
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out" / name).symlink_to("../elsewhere")
    with pytest.raises(DataError, match=f"out/{name} is a link"):
        list(run_job(plan(kinds=("labels", "overlay", "contact", "coco"))))
    assert not list((folder / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["manifest.jsonl", "predict.json", "errors.jsonl"])
def test_links_in_the_place_of_lists_that_are_read_are_refused(folder, name):
    list(run_job(plan()))
    (folder / "out" / name).unlink(missing_ok=True)
    (folder / "out" / name).symlink_to("../victim.txt")
    with pytest.raises(DataError, match=rf"{name} is a link; .*remove the link"):
        list(run_job(plan()))
    assert (folder / "victim.txt").read_bytes() == b"precious, without a line end"


def test_a_link_in_the_place_of_a_file_that_is_only_written_is_replaced(folder):
    list(run_job(plan()))
    areas = folder / "out/areas.csv"
    expected = areas.read_bytes()
    areas.unlink()
    areas.symlink_to("../victim.txt")
    list(run_job(plan()))
    assert areas.read_bytes() == expected and not areas.is_symlink()
    assert (folder / "victim.txt").read_bytes() == b"precious, without a line end"


FOREIGN = ["labels/photo-001.png", "manifest.jsonl", "areas.csv", "coco.json", "errors.jsonl"]
FOREIGN += ["contact-sheets/001.jpg", "journal.jsonl"]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("fresh", [False, True])
def test_files_of_others_are_not_overwritten(folder, name, fresh):
    path = folder / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text("ground truth")
    with pytest.raises(ConfigError, match=rf"out/{name} exists, and is not a file of this job"):
        plan(kinds=("labels", "coco", "contact"), fresh=fresh)
    assert content(folder / "out") == {name: b"ground truth"}


@pytest.mark.parametrize("name", ["coco/photo-001.json", "coco.json", "contact-sheets/001.jpg"])
def test_files_of_others_are_not_overwritten_by_kinds_that_are_added(folder, name):
    list(run_job(plan(), ["stopped before the first photo"]))
    path = folder / "out" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("ground truth")
    (folder / "out/labels").mkdir()
    (folder / "out/labels/photo-001.png").write_text("what a kill left of the job")
    assert plan().left
    with pytest.raises(ConfigError, match=rf"out/{name} exists, and is not a file of this job"):
        plan(kinds=("labels", "coco", "contact"))
    assert path.read_text() == "ground truth"
    assert plan().left, "the refused command has left the job, with what a kill left of it"


def test_predictions_that_a_command_with_fewer_inputs_left_are_own_files(folder):
    list(run_job(plan()))
    list(run_job(plan(source="photos/photo-000.png")))
    assert [item.name for item in plan().left] == ["photo-001"]


def test_files_of_a_photo_that_failed_are_own_files(folder):
    (folder / "photos/photo-001.png").write_bytes(b"no photo")
    list(run_job(plan()))
    (folder / "out/labels/photo-001.png").write_text("what a failure left of the job")
    write_photos(folder / "photos", COUNT)
    assert [item.name for item in plan(retry_failed=True).left] == ["photo-001"]


def test_a_link_of_the_user_is_not_overwritten(folder):
    (folder / "out/labels").mkdir(parents=True)
    (folder / "out/labels/photo-001.png").symlink_to("../../victim.txt")
    with pytest.raises(
        ConfigError, match=r"labels/photo-001\.png exists, and is not a file of this"
    ):
        plan()
    assert (folder / "out/labels/photo-001.png").is_symlink()


@pytest.mark.parametrize(
    "values",
    [
        {"shard": ["../../x", 2]},
        {"shard": [0, 0]},
        {"shard": [5, 2]},
        {"shard": 7},
        {"options": []},
        {"options": {"save": [["a"]]}},
        {"classes": [1, 2]},
        {"palette": [[0, 0]]},
        {"mine": "all"},
        {"more": 1},
        {"heads": "ab"},
        {"heads": [{"name": "../photos", "classes": ["a"], "palette": [[0, 0, 0]]}]},
        {"heads": [{"name": "a", "classes": [], "palette": []}]},
    ],
)
def test_a_changed_job_file_is_refused(folder, values):
    list(run_job(plan()))
    path = folder / "out/predict.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(DataError, match=r"predict\.json: not a job file .*--fresh"):
        plan()


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '{"format": 1e999}', "[]", "\xe9"])
def test_job_files_and_lists_that_are_no_json_are_refused(folder, text):
    list(run_job(plan()))
    for name in ("manifest.jsonl", "predict.json"):
        (folder / "out" / name).write_text(text + "\n" + text)
        with pytest.raises(DataError, match=rf"{name}.*--fresh"):
            plan()


@pytest.mark.parametrize("name", ["../p", "/tmp/p", "a/../../p"])
def test_a_prediction_is_written_below_its_folder(folder, name):
    prediction = load("model.safetensors").predict("photos/photo-000.png")
    with pytest.raises(DataError, match="names the file"):
        write_prediction(prediction, folder / "new", name)
    assert not (folder / "new").exists()
    (path,) = write_prediction(prediction, folder / "new", "a/b", save=("labels",))
    assert path == folder / "new/labels/a/b.png" and path.is_file()


def test_a_merge_does_not_replace_another_jobs_lists(folder):
    list(run_job(plan(out="a")))
    write_photos(folder / "more", COUNT)
    list(run_job(plan(out="b", source="more")))
    before = content(folder)
    with pytest.raises(DataError, match="a holds another list"):
        merge_shards(["a", "b"], "a")
    (folder / "c").mkdir()
    (folder / "c/manifest.jsonl").write_text('{"id": 1, "path": "mine.jpg"}\n')
    with pytest.raises(
        ConfigError, match=r"c/manifest\.jsonl exists, and is not a file of this job"
    ):
        merge_shards(["a", "b"], "c")
    assert {n: b for n, b in content(folder).items() if not n.startswith("c/")} == before
    assert len(merge_shards(["a", "b"], "d")) == len(merge_shards(["a", "b"], "d")) == 2 * COUNT


def test_files_of_a_merge_are_own_files(folder):
    for index in range(2):
        list(run_job(plan(kinds=("coco",), shard=(index, 2))))
    merge_shards(["out"])
    assert {"manifest.jsonl", "areas.csv", "coco.json"} <= content(folder / "out").keys()
    assert len(plan(kinds=("coco", "labels"), fresh=True).left) == COUNT


@pytest.mark.parametrize("name", ["areas.csv", "errors.jsonl", "coco.json"])
def test_a_merge_does_not_replace_files_of_others(folder, name):
    for index in range(2):
        list(run_job(plan(out=f"shard-{index}", kinds=("coco",), shard=(index, 2))))
    (folder / "all").mkdir()
    (folder / "all" / name).write_text("ground truth")
    with pytest.raises(ConfigError, match=rf"all/{name} exists, and is not a file of this job"):
        merge_shards(["shard-0", "shard-1"], "all")
    assert content(folder / "all") == {name: b"ground truth"}


@pytest.mark.parametrize("name", ["manifest.jsonl", "areas.csv", "errors.jsonl", "coco.json"])
def test_a_merge_in_place_does_not_replace_files_of_others(folder, name):
    for index in range(2):
        list(run_job(plan(kinds=("coco",), shard=(index, 2))))
    (folder / "out" / name).write_text("ground truth")
    before = content(folder / "out")
    with pytest.raises(ConfigError, match=rf"out/{name} exists, and is not a file of this job"):
        merge_shards(["out"])
    assert content(folder / "out") == before
    (folder / "out" / name).unlink()
    assert len(merge_shards(["out"])) == len(merge_shards(["out"])) == COUNT


def test_a_merge_without_a_prediction_can_be_repeated(folder):
    for path in (folder / "photos").iterdir():
        path.write_bytes(b"no photo")
    for index in range(2):
        list(run_job(plan(kinds=("coco", "contact"), shard=(index, 2))))
    assert len(merge_shards(["out"])) == len(merge_shards(["out"])) == COUNT


def test_a_merge_with_more_kinds_does_not_replace_files_of_others(folder):
    list(run_job(plan(out="a")))
    list(run_job(plan(out="b", kinds=("labels", "coco"))))
    merge_shards(["a"], "all")
    (folder / "all/coco.json").write_text("ground truth")
    before = content(folder / "all")
    with pytest.raises(ConfigError, match=r"all/coco\.json exists, and is not a file of this job"):
        merge_shards(["b"], "all")
    assert content(folder / "all") == before


def test_a_changed_photo_of_the_same_size_is_predicted_again(folder):
    list(run_job(plan()))
    path = folder / "photos/photo-000.png"
    old, status = path.read_bytes(), path.stat()
    os.utime(path, ns=(1, 1))
    assert not plan().left, "a copy with another time is the same photo"
    path.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    assert [item.name for item in plan().left] == ["photo-000"]
    path.write_bytes(old)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not plan().left


def test_records_with_names_that_are_not_utf_8_are_json(folder):
    record = FailureRecord("photos/\udce9.png", "photos/\udce9.png", "\x1b[31m")
    line = to_json_line(record)
    assert json.loads(line.decode()) == {
        "id": "photos/\udce9.png",
        "path": "photos/\udce9.png",
        "error": "\x1b[31m",
        "unexpected": False,
    }
    os.rename(b"photos/photo-000.png", b"photos/\xe9.png")
    records = list(run_job(plan(kinds=("labels", "coco", "contact"))))
    assert all(isinstance(record, PredictionRecord) for record in records)
    text = (folder / "out/manifest.jsonl").read_bytes().decode()
    assert [json.loads(row)["id"] for row in text.splitlines()][-1] == "photos/\udce9.png"
    for name in ("areas.csv", "coco.json"):
        assert "\\udce9" in (folder / "out" / name).read_bytes().decode()
    assert not plan(kinds=("labels", "coco", "contact")).left
    assert replace(records[0], note="x") != records[0]
