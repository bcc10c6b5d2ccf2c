"""fullconv predict and merge, as a user meets them."""

import json
import os
import signal
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
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(Path("model.safetensors"))
    write_photos(Path("photos"), 5)
    return tmp_path


def predict(*arguments):
    return run(["predict", "model.safetensors", *arguments])


def test_the_same_command_goes_on_and_does_nothing_twice(here, capsys):
    assert predict("photos", "--out", "out", "--quiet") == 0
    before = content(here / "out")
    assert predict("photos", "--out", "out", "--json", "-") == 0
    text = capsys.readouterr().out
    assert "already in out: 5 photos, 0 failed" in text and content(here / "out") == before
    values = json.loads(text[text.index("{\n") :])
    assert len(values["answers"]) == 5
    assert sum(values["answers"][0]["areas"].values()) == pytest.approx(1)


def test_shards_then_merge(here, capsys):
    for index in (1, 0):
        assert predict("photos", "--out", "out", "--shard", f"{index}/2") == 0
    assert run(["merge", "out"]) == 0
    assert "5 photos, 0 failed, each once -> out/manifest.jsonl" in capsys.readouterr().out
    assert len((here / "out" / "areas.csv").read_text().splitlines()) == 6


def test_every_kind_is_in_the_help_and_can_be_written(here):
    assert all(kind in SAVE for kind in writers)
    assert predict("photos/photo-000.png", "--out", "out", "--save", ",".join(writers)) == 0
    for kind in writers:
        assert (here / "out" / kind / f"photo-000{writers[kind].suffix}").stat().st_size


def test_without_a_name_the_answers_get_a_folder_of_their_own(here, capsys):
    for number in (1, 2):
        assert predict("photos", "--json", "told.json") == 0
        folder = json.loads(Path("told.json").read_text())["folder"]
        assert folder == f"runs/predict/model-00{number}"
        assert (here / folder / "labels" / "photo-000.png").is_file()


def test_gathered_answers_of_shards(here, capsys):
    for index in (0, 1):
        shard = ("--out", "out", "--save", "coco,contact", "--shard", f"{index}/2")
        assert predict("photos", *shard) == 0
    assert "coco-1-of-2.json, contact-sheets-1-of-2/" in capsys.readouterr().out
    assert run(["merge", "out"]) == 0
    assert len(json.loads((here / "out/coco.json").read_text())["images"]) == 5
    assert os.listdir("out/contact-sheets") == ["001.jpg"]


def test_averaged_answers(here):
    arguments = ("photos", "--out", "out", "--tta", "--scales", "1,1.5", "--save", "labels")
    assert predict(*arguments) == 0
    assert '"scales": [\n      1.0,\n      1.5\n    ]' in (here / "out/predict.json").read_text()


def test_tiles_are_compared_on_the_users_photo(here, capsys):
    assert predict("photos", "--out", "out", "--verify-tiles", "--memory", "64MiB") == 0
    text = capsys.readouterr().out
    assert "photos/photo-000.png: 20 x 24 pixels" in text and "labels at 0 pixels" in text


def test_a_list_and_a_manifest(here):
    Path("list.txt").write_text("photos/photo-001.png\nphotos/photo-003.png\n")
    assert predict("@list.txt", "--out", "out") == 0
    assert predict("out/manifest.jsonl", "--out", "again") == 0
    assert content(here / "out") == content(here / "again")


MISTAKES = {
    "shard without out": (["photos", "--shard", "0/2"], "--shard needs --out"),
    "shard from one": (["photos", "--shard", "2/2", "--out", "o"], "counted from 0"),
    "shard in words": (["photos", "--shard", "all", "--out", "o"], "expected part/parts"),
    "engine": (["photos", "--engine", "spark", "--out", "o"], "no engine is called 'spark'"),
    "memory": (["photos", "--memory", "much", "--out", "o"], "such as 2GiB"),
    "scales": (["photos", "--tta", "--scales", "a,b", "--out", "o"], "expected numbers"),
    "scales alone": (["photos", "--scales", "1", "--out", "o"], "belongs to --tta"),
    "no photo": (["lost.png", "--out", "o"], "there is no such photo"),
    "kind": (["photos", "--save", "label", "--out", "o"], "did you mean 'labels'?"),
    "no kind": (["photos", "--save", ",", "--out", "o"], "--save: expected some of coco"),
    "a file": (["photos", "--out", "model.safetensors"], "is a file; expected a folder"),
    "a name": (["photos", "--out", "o.png"], "--out o.png names one file; expected a folder"),
    "a raster's name": (["photos", "--out", "o.tif"], "one raster; found 5 inputs"),
    "shards of one": (["photos", "--out", "o.tif", "--shard", "0/2"], "--shard needs a folder"),
    "no raster": (["photos/photo-001.png", "--out", "o.tif"], "photo-001.png, which is none"),
    "no list": (["@lost.txt", "--out", "o"], "cannot be read"),
    "url": (["nosuch://x/", "--out", "o"], "nosuch"),
    "threads": (["photos", "--threads", "0"], "--threads"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_clear_message(here, capsys, what):
    arguments, message = MISTAKES[what]
    assert predict(*arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err
    assert not Path("o").exists() and not Path("runs").exists(), "nothing is left behind"


def test_when_all_photos_fail_the_command_does(here):
    Path("photos/photo-000.png").write_bytes(b"no picture")
    assert predict("photos/photo-000.png", "--out", "out") == 2
    assert (here / "out" / "errors.jsonl").is_file()


def test_a_video_becomes_a_video_and_is_not_made_twice(here, capsys):
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
    before = (here / "out/video/clip.mp4").stat().st_mtime_ns
    assert predict("clip.bin", "photos", "--out", "out") == 0
    assert (here / "out/video/clip.mp4").stat().st_mtime_ns == before
    write_model(Path("model.safetensors"), seed=1)
    assert predict("clip.bin", "--out", "out") == 2
    assert "another model" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (10, 75)])
def test_asked_to_stop_it_finishes_what_it_began(here, number, code):
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
    done = len((here / "out/manifest.jsonl").read_text().splitlines())
    assert 0 < done < 300 and len(os.listdir("out/labels")) == done
    assert not Path("out/journal.jsonl").exists()
