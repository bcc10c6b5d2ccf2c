"""A job is derived from the options and the inputs."""

import numpy as np
import pytest
import torch

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import Input
from fullconv.batch.job import PredictionJob
from fullconv.engines.running import RunningEngine
from fullconv.errors import MemoryBudgetError
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.io.images import Header, write_image
from fullconv.io.rasters import BandChoice
from fullconv.model import load
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_a_key_depends_on_input_model_and_options(path):
    model, inputs = load(path), [Input("a", "a.png")]

    def key(input_id="a", **options):
        return create_job(model, path, inputs, out="out", **options).description.key(input_id)

    bands, limits = BandChoice((4, 1, 2)), BandChoice(None, (0.0, 9.0))
    keys = [key(), key("b"), key(kinds=("labels",)), key(scales=(1.0, 2.0))]
    keys += [key(band_choice=bands), key(band_choice=limits)]
    assert len(set(keys)) == 6
    same = {"out": "elsewhere", "threads": 7, "memory": "1GiB", "shard": (1, 2)}
    assert create_job(model, path, inputs, **same).description.key("a") == keys[0]


def test_photos_computed_at_once_share_the_memory(path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job_resources.usable_cores", lambda: 8)
    model = load(path)
    photos = [Input(str(n), f"{n}.png") for n in range(9)]

    def memory(inputs, threads, budget="1GiB", **options):
        return create_job(
            model, path, inputs, out="o", threads=threads, memory=budget, **options
        ).memory

    assert [memory(photos, threads) for threads in (1, 2, 8, 9)] == [2**27, 2**28, 2**30, 2**30]
    assert [memory(photos[:n], 2) for n in (0, 1, 2, 5)] == [2**30, 2**30, 2**29, 2**28]
    assert memory(photos, 2, device="cuda") == 2**30
    assert memory(photos, 8, None) is None and memory(photos[:1], 1, None) is None
    assert memory(photos, 2, None) is not None


def test_large_photos_are_computed_by_more_threads_each_instead_of_in_more_parts(
    path, tmp_path, monkeypatch
):
    monkeypatch.setattr("fullconv.batch.job_resources.usable_cores", lambda: 8)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    model = load(path)
    write_image(tmp_path / "photo.png", np.zeros((1000, 1200, 3), np.uint8))
    photos = [Input(str(n), str(tmp_path / "photo.png")) for n in range(MIN_IMAGES)]
    whole = int(1_200_000 * runtime_pixel_bytes(model.network))

    def shares(memory, **options):
        job = create_job(model, path, photos, out="o", memory=f"{memory}B", **options)
        return job.at_once, job.threads, job.memory

    assert shares(9 * whole) == (5, 1, 9 * whole // 5)
    assert shares(2 * whole + 1) == (2, 4, whole)
    assert shares(whole // 2) == (1, 8, whole // 2)
    assert shares(whole // 2, threads=4) == (2, 4, whole // 4)  # as given
    assert shares(5 * whole, scales=(1.0, 2.0)) == (1, 8, 5 * whole)  # 4 times the pixels


def test_many_photos_share_the_cores_and_few_get_all_one_by_one(path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job_resources.usable_cores", lambda: 4)
    model, threads = load(path), torch.get_num_threads()
    photos = [Input(str(n), f"{n}.png") for n in range(MIN_IMAGES)]
    few, many = (create_job(model, path, some, out="o") for some in (photos[1:], photos))
    assert (few.threads, many.threads, many.for_large_inputs().threads) == (threads, 1, threads)
    job = create_job(model, path, photos, out="o", threads=3, memory="1GiB")
    large = job.for_large_inputs()
    assert (job.threads, large.threads, large.memory) == (3, 3, 2**30)
    assert create_job(model, path, photos, out="o", device="cuda").threads == threads


def test_the_network_is_optimized_for_many_photos_or_a_video(path):
    model = load(path)
    photos = [Input(str(n), f"{n}.png") for n in range(MIN_IMAGES)]

    def optimized(inputs, **options):
        return create_job(model, path, inputs, out="o", **options).optimize

    assert optimized(photos) and not optimized(photos[1:])
    assert optimized(photos, shard=(0, 9)), "as in all other shards"
    assert optimized([Input("v", "v.mp4", medium="video")])
    assert not optimized([Input(str(n), f"{n}.tif", medium="raster") for n in range(MIN_IMAGES)])


class Engine(RunningEngine):
    """An engine that computes every image whole, and was chosen for `memory` bytes."""

    memory = 0

    def __init__(self, memory):
        self.memory = memory


def test_an_engine_that_was_chosen_for_more_memory_is_refused(path, monkeypatch):
    model, small = load(path), 2**26
    image = np.zeros((600, 800, 3), np.uint8)
    header = Header((600, 800), (600, 800), "RGB", "PNG", 1, 1)
    job = create_job(model, path, [Input("a", "a.png")], out="o", kinds=("labels",), memory="64MiB")
    monkeypatch.setattr(PredictionJob, "open", lambda self: model)
    monkeypatch.setattr(model, "engine_takes", lambda *given: True, raising=False)
    monkeypatch.setattr(model, "plan_memory", lambda *given, **options: 2**28, raising=False)
    monkeypatch.setattr(model.network, "engine", Engine(2**28))
    message = r"begun with more memory: an image of 600 x 800 pixels takes 256.* --fresh"
    with pytest.raises(MemoryBudgetError, match=message):
        job.plan(header, 1)
    with pytest.raises(MemoryBudgetError, match=message):
        job.predict(image, small)
    assert job.plan(header, 8), "all photos' memory together is enough for one at a time"
    monkeypatch.setattr(model.network, "engine", Engine(small))
    assert job.plan(header, 1), "the job's own limit, which other memory adds to"
