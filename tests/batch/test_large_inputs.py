"""Rasters and videos in the same job as photos: one manifest, one list of what failed."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from earth import field, read, whole, write
from fullconv.batch.inputs import detect_media, resolve_inputs
from fullconv.batch.job import create_job
from fullconv.batch.large_inputs import Progress
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.merge import merge
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import answers, events
from fullconv.errors import ConfigError, MissingExtraError
from fullconv.export.exported import open_model
from photos import content, write_model, write_photos
from videos import quarters, write_video

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

FRAMES = 4


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A model, and a folder of two photos, a raster, a video, and one of each that is damaged."""
    folder = tmp_path_factory.mktemp("asked")
    model, inside = write_model(folder / "model.safetensors", seed=3), folder / "in"
    write_photos(inside, 2)
    write(inside / "land.tif", field(3))
    write_video(inside / "clip.mp4", [np.roll(quarters(), 9 * n, 1) for n in range(FRAMES)])
    (inside / "cut.tif").write_bytes((inside / "land.tif").read_bytes()[:20_000])
    (inside / "cut.mp4").write_bytes((inside / "clip.mp4").read_bytes()[:900])
    return model, inside


@pytest.fixture
def todo(asked, tmp_path):
    """What is to be done in a folder, by default all inputs in `out`."""

    def make(out=None, given=None, model=asked[0], **options):
        later = {key: options.pop(key) for key in ("fresh", "retry_failed") if key in options}
        inputs = detect_media(resolve_inputs([str(asked[1] if given is None else given)]))
        out = tmp_path / "out" if out is None else out
        options |= {"threads": 1, "memory": "2GiB"}  # whatever the machine has free meanwhile
        work = create_job(open_model(model), model, inputs, out=out, **options)
        return plan_resume(work, inputs, engine="local", **later)

    return make


def lines(path):
    return {Path(row["id"]).name: row for row in map(json.loads, path.read_text().splitlines())}


def differing(folder):
    """Names of the files in which `out` is not what was done at once."""
    out, once = content(folder / "out"), content(folder / "at once")
    return {name for name in {*out, *once} if out.get(name) != once.get(name)}


def test_each_is_in_the_manifest_or_in_the_errors(asked, todo, tmp_path):
    list(answers(todo()))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert list(rows) == ["clip.mp4", "land.tif", "photo-000.png", "photo-001.png"]
    raster, video = rows["land.tif"], rows["clip.mp4"]
    assert raster["files"] == {"labels": "labels/land.tif", "areas": "areas/land.csv"}
    assert video["files"] == {"video": "video/clip.mp4"}
    found = read(tmp_path / "out" / "labels" / "land.tif")
    assert (found == whole(open_model(asked[0]), field(3))).all()
    counts = np.bincount(found.ravel(), minlength=4).tolist()
    assert list(raster["pixels"].values()) == counts and raster["height"] == len(found)
    assert "bands 1, 2, 3 as red, green, blue" in raster["note"]
    assert sum(video["pixels"].values()) == FRAMES * video["height"] * video["width"]
    errors = lines(tmp_path / "out" / "errors.jsonl")
    assert list(errors) == ["cut.mp4", "cut.tif"] and "cut short" in errors["cut.tif"]["error"]
    assert len((tmp_path / "out" / "areas.csv").read_text().splitlines()) == 1 + len(rows)


def test_progress_is_told_between_the_records(todo):
    found = list(events(todo()))
    steps = [one for one in found if isinstance(one, Progress)]
    frames = [one.done for one in steps if one.item.medium == "video"]
    assert frames == list(range(FRAMES + 1))
    rasters = [one for one in steps if one.item.medium == "raster"]
    assert [one.done for one in rasters] == sorted(one.done for one in rasters)
    assert rasters[-1].done == rasters[-1].total == 150 * 190
    assert sum(not isinstance(one, Progress) for one in found) == 6


def test_left_at_any_moment_it_ends_in_the_same_files_and_does_nothing_twice(todo, tmp_path):
    events_of_all = len(list(events(todo(out=tmp_path / "at once"))))
    done = set()
    for _ in range(events_of_all):
        records = 0
        with closing(events(todo())) as some:  # left after the first step that is new, as by a kill
            for event in some:
                if not isinstance(event, Progress):
                    assert event.id not in done
                    done.add(event.id)
                    records += 1
                if records == 1:
                    break
        if not todo().left:
            break
    list(answers(todo()))
    assert differing(tmp_path) == set()


def test_left_amid_a_video_or_a_raster_nothing_half_written_counts(todo, tmp_path):
    with closing(events(todo())) as some:
        for event in some:
            if isinstance(event, Progress) and event.item.medium == "video" and event.done == 2:
                break
    assert not list((tmp_path / "out" / "video").glob("*.mp4"))
    list(answers(todo()))
    list(answers(todo(out=tmp_path / "at once")))
    assert differing(tmp_path) == set()


def test_asked_to_stop_a_video_is_left_at_once(todo, tmp_path):
    stopped, after = [], 0
    for event in events(todo(), stopped):
        after += bool(stopped)
        if isinstance(event, Progress) and event.item.medium == "video":
            stopped.append("now")
    assert after == 0
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert list(rows) == ["photo-000.png", "photo-001.png"], "what is done is told"


def test_what_failed_is_tried_again_only_if_asked(asked, todo, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    raster = copy / "land.tif"
    raster.write_bytes((asked[1] / "cut.tif").read_bytes())
    assert [type(one) for one in answers(todo(given=copy))] == [FailureRecord]
    raster.write_bytes((asked[1] / "land.tif").read_bytes())
    assert not todo(given=copy).left
    assert [type(one) for one in answers(todo(given=copy, retry_failed=True))] == [PredictionRecord]
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def test_a_raster_that_has_changed_or_lost_its_answer_is_done_again(asked, todo, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    (copy / "land.tif").write_bytes((asked[1] / "land.tif").read_bytes())
    list(answers(todo(given=copy)))
    assert not todo(given=copy).left
    (tmp_path / "out" / "areas" / "land.csv").unlink()
    assert [item.name for item in todo(given=copy).left] == ["land"]
    list(answers(todo(given=copy)))
    assert (tmp_path / "out" / "areas" / "land.csv").is_file()


def test_begun_anew_nothing_of_another_model_stays(asked, todo, tmp_path):
    list(answers(todo(out=tmp_path / "at once")))
    other = write_model(tmp_path / "other.safetensors", seed=1)
    list(answers(todo(model=other)))
    list(answers(todo(fresh=True)))
    assert differing(tmp_path) == set()


def test_shards_share_them_out_and_merge_as_one(todo, tmp_path):
    for index in range(3):
        list(answers(todo(shard=(index, 3))))
    merge([str(tmp_path / "out")])
    list(answers(todo(out=tmp_path / "at once")))
    shards = {
        f"{what}-{index}-of-3"
        for what in ("areas", "manifest", "errors", "predict")
        for index in range(3)
    }
    others = {name for name in differing(tmp_path) if Path(name).stem not in shards}
    assert others == {"predict.json"}


def test_names_of_photos_and_rasters_differ(asked, tmp_path, todo):
    copy = tmp_path / "in"
    write_photos(copy, 1)
    (copy / "photo-000.tif").write_bytes((asked[1] / "land.tif").read_bytes())
    list(answers(todo(given=copy)))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert {row["name"] for row in rows.values()} == {"in__photo-000_png", "in__photo-000_tif"}


def test_what_cannot_be_done_is_refused_at_once(asked, todo, tmp_path):
    with pytest.raises(ConfigError, match=r"land.tif: a raster is answered once .*leave --tta out"):
        todo(given=asked[1] / "land.tif", scales=(0.5, 1.0))
    with pytest.raises(
        ConfigError, match=r"clip.mp4: the answer to a video is written to a folder"
    ):
        todo(given=asked[1] / "clip.mp4", out="memory://out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; expected a folder"):
        todo(out=tmp_path / "file")
    assert not (tmp_path / "out").exists()


def test_a_missing_package_ends_all_and_no_input_is_blamed(todo, tmp_path, monkeypatch):
    def missing(*_, **__):
        raise MissingExtraError("rasterio", "geo", "a raster")
        yield

    monkeypatch.setattr("fullconv.batch.large_inputs.label_raster", missing)
    with pytest.raises(MissingExtraError):
        list(answers(todo()))
    monkeypatch.undo()
    assert "land" in [item.name for item in todo().left]


def test_a_video_is_averaged_too(asked, todo, tmp_path):
    (record,) = answers(todo(given=asked[1] / "clip.mp4"))
    (averaged,) = answers(
        todo(given=asked[1] / "clip.mp4", out=tmp_path / "averaged", scales=(0.5, 1.0))
    )
    assert record.pixels != averaged.pixels
