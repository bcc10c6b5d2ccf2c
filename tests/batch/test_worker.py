"""A worker predicts single photos and explains their failures."""

import pickle

import pytest

from fullconv.batch.inputs import Input
from fullconv.batch.job import create_job
from fullconv.batch.worker import Worker
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.model import load
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_a_pickled_worker_refuses_another_model(path, tmp_path):
    copy = write_model(tmp_path / "m.safetensors")
    worker = Worker(create_job(load(copy), copy, [Input("a", "a.png")], out="out"))
    assert pickle.loads(pickle.dumps(worker)) == worker  # noqa: S301
    write_model(copy, 1)
    with pytest.raises(ConfigError, match="not the model that the job was created with"):
        worker.prepare()


def test_too_little_shared_memory_is_explained(path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job.usable_cores", lambda: 8)
    monkeypatch.setattr("fullconv.batch.worker.usable_cores", lambda: 8)
    photos = [Input(name, f"{name}.png") for name in "ab"]
    error = MemoryBudgetError("it takes 3.0 GiB: give it more")
    model = load(path)
    for memory, budget in (("1GiB", "1GiB"), (None, "half of the free memory")):
        job = create_job(model, path, photos, out="out", threads=4, memory=memory)
        assert (
            Worker(job)
            .record_failure(photos[0], error)
            .error.endswith(f"give it more, or use --threads 8: 2 photos at a time share {budget}")
        )
    alone = Worker(create_job(model, path, photos[:1], out="out", threads=4, memory="1GiB"))
    assert alone.record_failure(photos[0], error).error == "a.png: it takes 3.0 GiB: give it more"


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "not enough memory"), (KeyError("x"), "unexpected error .KeyError: 'x'")],
)
def test_a_failure_names_the_input_and_the_reason(path, error, text):
    worker = Worker(create_job(load(path), path, [], out="out"))
    failure = worker.record_failure(Input("a", "folder/a.png"), error)
    assert failure.error.startswith("folder/a.png: ") and text in failure.error.replace("(", ".")
