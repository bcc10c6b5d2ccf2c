"""Rasters and videos are part of the same job as photos, with one manifest and errors.jsonl."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import detect_media, resolve_inputs
from fullconv.batch.large_inputs import InputProgress
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.merge import merge_shards
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job, run_with_progress
from fullconv.errors import ConfigError, MissingExtraError
from fullconv.model import load
from georeferenced import predict_whole, random_bands, read, write
from photos import content, write_model, write_photos
from videos import quarters, write_video

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

FRAMES = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a model, and a folder of photos, a raster, a video, and damaged ones."""
    folder = tmp_path_factory.mktemp("data")
    model, inside = write_model(folder / "model.safetensors", seed=3), folder / "in"
    write_photos(inside, 2)
    write(inside / "land.tif", random_bands(3))
    write_video(inside / "clip.mp4", [np.roll(quarters(), 9 * n, 1) for n in range(FRAMES)])
    (inside / "cut.tif").write_bytes((inside / "land.tif").read_bytes()[:20_000])
    (inside / "cut.mp4").write_bytes((inside / "clip.mp4").read_bytes()[:900])
    return model, inside


@pytest.fixture
def plan(data, tmp_path):
    """Plan a job; by default of all inputs, into `out`."""

    def make(out=None, source=None, model=data[0], **options):
        resume = {key: options.pop(key) for key in ("fresh", "retry_failed") if key in options}
        inputs = detect_media(resolve_inputs([str(data[1] if source is None else source)]))
        out = tmp_path / "out" if out is None else out
        options |= {"threads": 1, "memory": "2GiB"}  # independent of this machine
        job = create_job(load(model), model, inputs, out=out, **options)
        return plan_resume(job, inputs, executor="local", **resume)

    return make


def lines(path):
    return {Path(row["id"]).name: row for row in map(json.loads, path.read_text().splitlines())}


def differing(folder):
    """Return the names of files that differ from those of the uninterrupted job."""
    out, expected = content(folder / "out"), content(folder / "uninterrupted")
    return {name for name in {*out, *expected} if out.get(name) != expected.get(name)}


def test_each_input_is_in_the_manifest_or_in_the_errors(data, plan, tmp_path):
    list(run_job(plan()))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert list(rows) == ["clip.mp4", "land.tif", "photo-000.png", "photo-001.png"]
    raster, video = rows["land.tif"], rows["clip.mp4"]
    assert raster["files"] == {"labels": "labels/land.tif", "areas": "areas/land.csv"}
    assert video["files"] == {"video": "video/clip.mp4"}
    found = read(tmp_path / "out" / "labels" / "land.tif")
    assert (found == predict_whole(load(data[0]), random_bands(3))).all()
    counts = np.bincount(found.ravel(), minlength=4).tolist()
    assert list(raster["pixels"].values()) == counts and raster["height"] == len(found)
    assert "bands 1, 2, 3 as red, green, blue" in raster["note"]
    assert sum(video["pixels"].values()) == FRAMES * video["height"] * video["width"]
    errors = lines(tmp_path / "out" / "errors.jsonl")
    assert list(errors) == ["cut.mp4", "cut.tif"] and "cut short" in errors["cut.tif"]["error"]
    assert len((tmp_path / "out" / "areas.csv").read_text().splitlines()) == 1 + len(rows)


def test_a_raster_is_computed_by_the_engine_of_the_job(data, plan, doubles, tmp_path):
    list(run_job(plan(source=data[1] / "land.tif", engine="onnx")))
    (row,) = lines(tmp_path / "out" / "manifest.jsonl").values()
    assert row["note"].endswith("by ONNX Runtime")
    found = read(tmp_path / "out" / "labels" / "land.tif")
    assert np.mean(found == predict_whole(load(data[0]), random_bands(3))) > 0.999  # ties


def test_progress_is_yielded_between_the_records(plan):
    events = list(run_with_progress(plan()))
    steps = [event for event in events if isinstance(event, InputProgress)]
    frames = [step.done for step in steps if step.item.medium == "video"]
    assert frames == list(range(FRAMES + 1))
    rasters = [step for step in steps if step.item.medium == "raster"]
    assert [step.done for step in rasters] == sorted(step.done for step in rasters)
    assert rasters[-1].done == rasters[-1].total == 150 * 190
    assert len(events) - len(steps) == 6


def test_interrupted_after_each_record_it_ends_in_the_same_files(plan, tmp_path):
    event_count = len(list(run_with_progress(plan(out=tmp_path / "uninterrupted"))))
    done = set()
    for _ in range(event_count):
        records = 0
        with closing(run_with_progress(plan())) as events:
            for event in events:
                if not isinstance(event, InputProgress):
                    assert event.id not in done
                    done.add(event.id)
                    records += 1
                if records == 1:
                    break
        if not plan().left:
            break
    list(run_job(plan()))
    assert differing(tmp_path) == set()


def test_an_interrupted_video_leaves_no_file(plan, tmp_path):
    with closing(run_with_progress(plan())) as events:
        for event in events:
            if (
                isinstance(event, InputProgress)
                and event.item.medium == "video"
                and event.done == 2
            ):
                break
    assert not list((tmp_path / "out" / "video").glob("*.mp4"))
    list(run_job(plan()))
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    assert differing(tmp_path) == set()


def test_a_stop_request_interrupts_a_video(plan, tmp_path):
    stop_requests, after = [], 0
    for event in run_with_progress(plan(), stop_requests):
        after += bool(stop_requests)
        if isinstance(event, InputProgress) and event.item.medium == "video":
            stop_requests.append("now")
    assert after == 0
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert list(rows) == ["photo-000.png", "photo-001.png"], "finished photos are listed"


def test_failures_are_retried_only_on_request(data, plan, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    raster = copy / "land.tif"
    raster.write_bytes((data[1] / "cut.tif").read_bytes())
    assert [type(record) for record in run_job(plan(source=copy))] == [FailureRecord]
    raster.write_bytes((data[1] / "land.tif").read_bytes())
    assert not plan(source=copy).left
    assert [type(record) for record in run_job(plan(source=copy, retry_failed=True))] == [
        PredictionRecord
    ]
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def test_a_raster_with_a_missing_file_is_predicted_again(data, plan, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    (copy / "land.tif").write_bytes((data[1] / "land.tif").read_bytes())
    list(run_job(plan(source=copy)))
    assert not plan(source=copy).left
    (tmp_path / "out" / "areas" / "land.csv").unlink()
    assert [item.name for item in plan(source=copy).left] == ["land"]
    list(run_job(plan(source=copy)))
    assert (tmp_path / "out" / "areas" / "land.csv").is_file()


def test_a_raster_that_changed_is_predicted_again(data, plan, tmp_path):
    copy = tmp_path / "in"
    copy.mkdir()
    write(copy / "land.tif", random_bands(3))
    list(run_job(plan(source=copy, kinds=("labels", "geojson"))))
    changed = random_bands(3)[:, ::-1]
    write(copy / "land.tif", changed)
    (record,) = run_job(plan(source=copy, kinds=("labels", "geojson")))
    assert isinstance(record, PredictionRecord)
    found = read(tmp_path / "out/labels/land.tif")
    assert (found == predict_whole(load(data[0]), changed)).all()
    list(run_job(plan(out=tmp_path / "new", source=copy, kinds=("labels", "geojson"))))
    for name in ("labels/land.tif", "areas/land.csv", "geojson/land.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "new" / name).read_bytes()


def test_a_raster_of_the_user_in_the_place_of_labels_is_not_overwritten(data, plan, tmp_path):
    copy = tmp_path / "in"
    write_photos(copy, 1)
    list(run_job(plan(source=copy)))
    mine = write(tmp_path / "out/labels/land.tif", random_bands(1))
    before = mine.read_bytes()
    write(copy / "land.tif", random_bands(3))
    (record,) = run_job(plan(source=copy))
    assert "land.tif exists, and is not a file of this job" in record.error
    assert mine.read_bytes() == before


def test_fresh_removes_everything_of_another_model(data, plan, tmp_path):
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    other = write_model(tmp_path / "other.safetensors", seed=2)
    list(run_job(plan(model=other)))
    list(run_job(plan(fresh=True)))
    assert differing(tmp_path) == set()


def test_shards_of_all_media_merge_to_the_undivided_job(plan, tmp_path):
    for index in range(3):
        list(run_job(plan(shard=(index, 3))))
    merge_shards([str(tmp_path / "out")])
    list(run_job(plan(out=tmp_path / "uninterrupted")))
    shards = {
        f"{stem}-{index}-of-3"
        for stem in ("areas", "manifest", "errors", "predict")
        for index in range(3)
    }
    others = {name for name in differing(tmp_path) if Path(name).stem not in shards}
    assert others == {"predict.json"}


def test_photos_and_rasters_with_equal_stems_get_different_names(data, tmp_path, plan):
    copy = tmp_path / "in"
    write_photos(copy, 1)
    (copy / "photo-000.tif").write_bytes((data[1] / "land.tif").read_bytes())
    list(run_job(plan(source=copy)))
    rows = lines(tmp_path / "out" / "manifest.jsonl")
    assert {row["name"] for row in rows.values()} == {"in__photo-000_png", "in__photo-000_tif"}


def test_unsupported_options_are_refused_before_the_start(data, plan, tmp_path):
    with pytest.raises(ConfigError, match=r"land.tif: --tta does not support rasters; omit it"):
        plan(source=data[1] / "land.tif", scales=(0.5, 1.0))
    with pytest.raises(
        ConfigError, match=r"clip.mp4: a video needs a local folder as --out, found memory:"
    ):
        plan(source=data[1] / "clip.mp4", out="memory://out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; expected a folder"):
        plan(out=tmp_path / "file")
    assert not (tmp_path / "out").exists()


def test_without_the_package_for_rasters_photos_are_predicted_and_rasters_fail(
    plan, tmp_path, monkeypatch
):
    def missing(*arguments, **options):
        raise MissingExtraError("rasterio", "geo", "a raster")
        yield

    monkeypatch.setattr("fullconv.batch.large_inputs.label_raster", missing)
    records = list(run_job(plan()))
    assert sum(isinstance(record, PredictionRecord) for record in records) == 3
    (failed,) = (record for record in records if record.path.endswith("land.tif"))
    assert "fullconv[geo]" in failed.error and failed.error.endswith("with --retry-failed")
    assert not failed.unexpected
    monkeypatch.undo()
    assert "land" in [item.name for item in plan(retry_failed=True).left]


def test_a_raster_with_a_broken_tile_and_a_video_with_a_broken_frame_fail_alone(plan, tmp_path):
    inside = write_photos(tmp_path / "in", 1)
    raster = write(inside / "land.tif", random_bands(3), compress="deflate")
    content = bytearray(raster.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    raster.write_bytes(content)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(8)]
    write_video(inside / "clip.mp4", frames, movflags="faststart")
    content = bytearray((inside / "clip.mp4").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    (inside / "clip.mp4").write_bytes(content)
    list(run_job(plan(source=inside)))
    errors = lines(tmp_path / "out/errors.jsonl")
    assert sorted(errors) == ["clip.mp4", "land.tif"]
    assert "damaged" in errors["clip.mp4"]["error"]
    assert "copy or export it again" in errors["land.tif"]["error"]
    assert not any(row["unexpected"] for row in errors.values())
    assert list(lines(tmp_path / "out/manifest.jsonl")) == ["photo-000.png"]
    assert not list((tmp_path / "out").rglob("*.mp4"))
    assert not list((tmp_path / "out").rglob("land*"))


def test_tta_applies_to_videos(data, plan, tmp_path):
    (record,) = run_job(plan(source=data[1] / "clip.mp4"))
    (averaged,) = run_job(
        plan(source=data[1] / "clip.mp4", out=tmp_path / "tta", scales=(0.5, 1.0))
    )
    assert record.pixels != averaged.pixels
