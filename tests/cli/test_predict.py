"""The commands predict and merge."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fullconv.batch.writers import writers
from fullconv.cli import run
from fullconv.cli._predict_options import SAVE
from photos import content, write_model, write_photos


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(Path("model.safetensors"))
    write_photos(Path("photos"), 5)
    return tmp_path


def predict(*arguments):
    return run(["predict", "model.safetensors", *arguments])


def test_the_same_command_resumes(folder, capsys):
    assert predict("photos", "--out", "out", "--quiet") == 0
    before = content(folder / "out")
    capsys.readouterr()
    assert predict("photos", "--out", "out", "--json", "-") == 0
    shown = capsys.readouterr()
    assert "already in out: 5 photos, 0 failed" in shown.err and content(folder / "out") == before
    values = json.loads(shown.out)
    assert len(values["predictions"]) == 5
    assert sum(values["predictions"][0]["areas"].values()) == pytest.approx(1)
    assert set(values["seconds"].values()) == {0} and "time spent" not in shown.err


def test_shards_then_merge(folder, capsys):
    for index in (1, 0):
        assert predict("photos", "--out", "out", "--shard", f"{index}/2") == 0
    assert run(["merge", "out"]) == 0
    assert "5 photos, 0 failed, each once -> out/manifest.jsonl" in capsys.readouterr().out
    assert len((folder / "out" / "areas.csv").read_text().splitlines()) == 6


def test_every_output_kind_is_in_the_help_and_can_be_written(folder):
    assert all(kind in SAVE for kind in writers)
    assert predict("photos/photo-000.png", "--out", "out", "--save", ",".join(writers)) == 0
    for kind in writers:
        assert (folder / "out" / kind / f"photo-000{writers[kind].suffix}").stat().st_size


def test_what_is_left_out_of_a_folder_is_told_counted_and_recorded(folder, capsys):
    for name in ("a.JXL", "b.jxl", "c.gif", "notes.txt"):
        (folder / "photos" / name).write_bytes(b"x" * 100)
    assert predict("photos", "--out", "out", "--json", "-") == 0
    shown = capsys.readouterr()
    seconds = json.loads(shown.out)["seconds"]
    assert list(seconds) == ["read", "compute", "write"] and all(seconds.values())
    assert "time spent: reading " in shown.err
    left_out = json.loads(shown.out)["left_out"]
    assert left_out["pictures"] == {".gif": 1, ".jxl": 2}
    assert json.loads((folder / "out/predict.json").read_text())["left_out"] == left_out
    assert "not read: 2 .jxl, 1 .gif" in shown.err


def test_an_unexpected_failure_of_one_photo_makes_the_exit_code_1(folder, capsys, monkeypatch):
    from fullconv.batch.worker import Worker

    compute, seen = Worker.compute, []

    def fail_once(self, photo, opened):
        seen.append(photo)
        if len(seen) == 1:
            raise ZeroDivisionError("by zero")
        return compute(self, photo, opened)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "compute", fail_once)
        assert predict("photos", "--out", "out") == 1
    assert "4 photos, 1 failed" in capsys.readouterr().out
    assert predict("photos", "--out", "out") == 1, "it is still unanswered"
    assert predict("photos", "--out", "out", "--retry-failed") == 0


def test_a_bigtiff_header_that_points_nowhere_is_one_failure(folder, capsys):
    for offset in (2**64 - 1, 2**63, 2**63 - 1, 0):
        header = b"II" + struct.pack("<HHHQ", 43, 8, 0, offset) + bytes(40)
        (folder / "photos" / f"bad-{offset}.tif").write_bytes(header)
    assert predict("photos", "--out", "out") == 0
    assert "5 photos, 4 failed" in capsys.readouterr().out


def test_without_out_each_job_gets_a_new_folder(folder, capsys):
    for number in (1, 2):
        assert predict("photos", "--json", "result.json") == 0
        out = json.loads(Path("result.json").read_text())["folder"]
        assert out == f"runs/predict/model-00{number}"
        assert (folder / out / "labels" / "photo-000.png").is_file()


def test_collected_files_of_shards(folder, capsys):
    for index in (0, 1):
        shard = ("--out", "out", "--save", "coco,contact", "--shard", f"{index}/2")
        assert predict("photos", *shard) == 0
    assert "coco-1-of-2.json, contact-sheets-1-of-2/" in capsys.readouterr().out
    assert run(["merge", "out"]) == 0
    assert len(json.loads((folder / "out/coco.json").read_text())["images"]) == 5
    assert os.listdir("out/contact-sheets") == ["001.jpg"]


def test_tta_is_recorded_in_the_job_file(folder):
    arguments = ("photos", "--out", "out", "--tta", "--scales", "1,1.5", "--save", "labels")
    assert predict(*arguments) == 0
    assert '"scales": [\n      1.0,\n      1.5\n    ]' in (folder / "out/predict.json").read_text()


def test_verify_tiles_compares_the_first_photo(folder, capsys):
    assert predict("photos", "--out", "out", "--verify-tiles", "--memory", "64MiB") == 0
    text = capsys.readouterr().out
    assert "photos/photo-000.png: 20 x 24 pixels" in text and "labels at 0 pixels" in text


def test_a_list_and_a_manifest(folder):
    Path("list.txt").write_text("photos/photo-001.png\nphotos/photo-003.png\n")
    assert predict("@list.txt", "--out", "out") == 0
    assert predict("out/manifest.jsonl", "--out", "again") == 0
    assert content(folder / "out") == content(folder / "again")


MISTAKES = {
    "shard of many digits": (
        ["photos", "--out", "o", "--shard", f"1/{'9' * 5000}"],
        "expected I/N",
    ),
    "shard without out": (["photos", "--shard", "0/2"], "--shard needs --out"),
    "shard from one": (["photos", "--shard", "2/2", "--out", "o"], "counted from 0"),
    "shard in words": (["photos", "--shard", "all", "--out", "o"], "expected I/N"),
    "engine": (["photos", "--engine", "spark", "--out", "o"], "unknown engine 'spark'"),
    "an executor as engine": (["photos", "--engine", "ray", "--out", "o"], "--executor ray"),
    "executor": (["photos", "--executor", "spark", "--out", "o"], "unknown executor 'spark'"),
    "memory": (["photos", "--memory", "much", "--out", "o"], "such as 2GiB"),
    "scales": (["photos", "--tta", "--scales", "a,b", "--out", "o"], "expected numbers"),
    "scales alone": (["photos", "--scales", "1", "--out", "o"], "--scales needs --tta"),
    "no photo": (["lost.png", "--out", "o"], "no such photo"),
    "kind": (["photos", "--save", "label", "--out", "o"], "did you mean labels?"),
    "no kind": (["photos", "--save", ",", "--out", "o"], "--save: expected one or more of coco"),
    "a file": (["photos", "--out", "model.safetensors"], "is a file; expected a folder"),
    "a name": (["photos", "--out", "o.png"], "--out o.png names a file; expected a folder"),
    "a raster's name": (
        ["photos", "--out", "o.tif"],
        "needs a single raster as input; found 5 inputs",
    ),
    "shards of one": (["photos", "--out", "o.tif", "--shard", "0/2"], "--shard needs a folder"),
    "no raster": (
        ["photos/photo-001.png", "--out", "o.tif"],
        "photo-001.png, which is not a raster",
    ),
    "no list": (["@lost.txt", "--out", "o"], "cannot be read"),
    "url": (["nosuch://x/", "--out", "o"], "nosuch"),
    "threads": (["photos", "--threads", "0"], "--threads"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_clear_message(folder, capsys, what):
    arguments, message = MISTAKES[what]
    assert predict(*arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err
    assert not Path("o").exists() and not Path("runs").exists(), "nothing is left behind"


def test_the_command_fails_if_all_photos_fail(folder):
    Path("photos/photo-000.png").write_bytes(b"no picture")
    assert predict("photos/photo-000.png", "--out", "out") == 2
    assert (folder / "out" / "errors.jsonl").is_file()


def test_a_video_is_predicted_once(folder, capsys):
    av = pytest.importorskip("av")
    import numpy as np

    with av.open("clip.bin", "w", "mp4") as container:
        stream = container.add_stream("mpeg4", 10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for level in range(6):
            picture = np.full((32, 48, 3), 40 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    assert predict("clip.bin", "photos", "--out", "out") == 0
    assert "6 frames in out/video/clip.mp4" in capsys.readouterr().out
    before = (folder / "out/video/clip.mp4").stat().st_mtime_ns
    assert predict("clip.bin", "photos", "--out", "out") == 0
    assert (folder / "out/video/clip.mp4").stat().st_mtime_ns == before
    write_model(Path("model.safetensors"), seed=2)
    assert predict("clip.bin", "--out", "out") == 2
    assert "another model" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (10, 75)])
def test_a_signal_stops_after_the_started_photos(folder, number, code):
    write_photos(Path("many"), 300, (240, 320))
    command = [sys.executable, "-m", "fullconv", "predict", "model.safetensors", "many"]
    command += ["--out", "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not list(Path("out/labels").glob("*.png")) and process.poll() is None:
        time.sleep(0.05)
    asked = time.monotonic()
    process.send_signal(signal.Signals(number))
    text, _ = process.communicate(timeout=60)
    assert process.returncode == code and time.monotonic() - asked < 20
    assert "Stopped" in text and "the same command and --out out" in text
    done = len((folder / "out/manifest.jsonl").read_text().splitlines())
    assert 0 < done < 300 and len(os.listdir("out/labels")) == done
    assert not Path("out/journal.jsonl").exists()


def test_without_out_no_existing_folder_is_touched(folder, monkeypatch):
    """Even a folder whose random name is drawn is not taken for the new job's."""
    own = folder / "runs" / "predict" / "new-taken"
    names = iter(["taken", "free"])
    monkeypatch.setattr("fullconv.cli.predict.token_hex", lambda count: next(names))
    for out in (own, folder / "runs" / "predict" / "new"):
        assert predict("photos", "--out", str(out), "--save", "labels", "--quiet") == 0
    before = content(folder / "runs")
    assert predict("photos", "--save", "labels", "--fresh", "--quiet") == 0
    after = content(folder / "runs")
    assert before.items() <= after.items()
    assert (folder / "runs/predict/model-001/labels/photo-000.png").is_file()
    assert not (folder / "runs/predict/new-free").exists()
