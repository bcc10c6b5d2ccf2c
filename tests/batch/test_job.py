"""What follows from what a user asks for."""

import pytest
import torch

from fullconv.batch.inputs import Input
from fullconv.batch.job import create_job
from fullconv.batch.worker import Reading
from fullconv.export.exported import open_model
from fullconv.inference.cpu.optimize import PAYS
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_a_key_follows_from_input_model_and_options(path):
    model, inputs = open_model(path), [Input("a", "a.png")]

    def key(one="a", **options):
        return create_job(model, path, inputs, out="out", **options).job.key(one)

    bands, limits = Reading((4, 1, 2)), Reading(None, (0.0, 9.0))
    keys = [key(), key("b"), key(kinds=("labels",)), key(scales=(1.0, 2.0))]
    keys += [key(reading=bands), key(reading=limits)]
    assert len(set(keys)) == 6
    same = {"out": "elsewhere", "threads": 7, "memory": "1GiB", "shard": (1, 2)}
    assert create_job(model, path, inputs, **same).job.key("a") == keys[0]


def test_memory_is_for_all_that_is_computed_at_once(path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job.usable_cores", lambda: 8)
    model = open_model(path)
    photos = [Input(str(n), f"{n}.png") for n in range(9)]

    def memory(inputs, threads, given="1GiB", **options):
        return create_job(
            model, path, inputs, out="o", threads=threads, memory=given, **options
        ).memory

    assert [memory(photos, threads) for threads in (1, 2, 8, 9)] == [2**27, 2**28, 2**30, 2**30]
    assert [memory(photos[:n], 2) for n in (0, 1, 2, 5)] == [2**30, 2**30, 2**29, 2**28]
    assert memory(photos, 2, device="cuda") == 2**30
    assert memory(photos, 8, None) is None and memory(photos[:1], 1, None) is None
    assert memory(photos, 2, None) is not None


def test_many_photos_are_computed_side_by_side_and_others_have_all_threads(path):
    model, threads = open_model(path), torch.get_num_threads()
    photos = [Input(str(n), f"{n}.png") for n in range(PAYS)]
    few, many = (create_job(model, path, some, out="o") for some in (photos[1:], photos))
    assert (few.threads, many.threads, many.alone().threads) == (threads, 1, threads)
    told = create_job(model, path, photos, out="o", threads=3, memory="1GiB")
    assert (told.threads, told.alone().threads, told.alone().memory) == (3, 3, 2**30)
    assert create_job(model, path, photos, out="o", device="cuda").threads == threads


def test_many_answers_or_a_video_are_prepared_for(path):
    model = open_model(path)
    photos = [Input(str(n), f"{n}.png") for n in range(PAYS)]

    def many(inputs, **options):
        return create_job(model, path, inputs, out="o", **options).many

    assert many(photos) and not many(photos[1:])
    assert many(photos, shard=(0, 9)), "as in all other shards"
    assert many([Input("v", "v.mp4", medium="video")])
    assert not many([Input(str(n), f"{n}.tif", medium="raster") for n in range(PAYS)])
