"""A worker predicts single photos and explains their failures."""

import pickle

import pytest

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import Input
from fullconv.batch.worker import Worker
from fullconv.errors import ConfigError, EngineError, ImageError, MemoryBudgetError
from fullconv.model import load
from photos import write_model, write_photos


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_a_pickled_worker_refuses_another_model(path, tmp_path):
    copy = write_model(tmp_path / "m.safetensors")
    worker = Worker(create_job(load(copy), copy, [Input("a", "a.png")], out="out"))
    assert pickle.loads(pickle.dumps(worker)) == worker  # noqa: S301
    write_model(copy, seed=2)
    with pytest.raises(ConfigError, match="not the model that the job was created with"):
        worker.prepare()


def test_a_photo_that_needs_more_than_its_share_gets_more(path, tmp_path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job_resources.usable_cores", lambda: 4)
    write_photos(tmp_path, 2, (600, 800))
    photos = [Input(p.name, str(p)) for p in sorted(tmp_path.glob("*.png"))]
    model = load(path)
    wide = Worker(create_job(model, path, photos, out="out", threads=1, memory="512MiB"))
    tight = Worker(create_job(model, path, photos, out="out", threads=1, memory="64MiB"))
    for worker in (wide, tight):
        worker.prepare()
    assert wide.open(photos[0], 2).memory.limit == 2**28 - 3 * 600 * 800
    alone = tight.open(photos[0], 2)
    assert alone.memory.limit == 64 * 2**20 - 3 * 600 * 800
    labels = [
        w.compute(w.read(photos[0], o), o).labels
        for w in (wide, tight)
        if (o := w.open(photos[0], 2))
    ]
    assert (labels[0] == labels[1]).all()
    little = Worker(create_job(model, path, photos, out="out", threads=1, memory="30MiB"))
    with pytest.raises(MemoryBudgetError, match=r"at least .*; the memory given is 30.0 MiB"):
        little.open(photos[0], 2)
    assert "--threads" not in little.record_failure(photos[0], MemoryBudgetError("a")).error


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "not enough memory"), (KeyError("x"), "unexpected error .KeyError: 'x'")],
)
def test_a_failure_names_the_input_and_the_reason(path, error, text):
    worker = Worker(create_job(load(path), path, [], out="out"))
    failure = worker.record_failure(Input("a", "folder/a.png"), error)
    assert failure.error.startswith("folder/a.png: ") and text in failure.error.replace("(", ".")
    assert failure.unexpected == isinstance(error, KeyError)


@pytest.mark.parametrize(
    ("error", "unexpected"),
    [(ImageError("a"), False), (OSError(5, "a"), False), (EngineError("crashed"), True)],
)
def test_only_a_bug_or_a_crash_is_unexpected(path, error, unexpected):
    worker = Worker(create_job(load(path), path, [], out="out"))
    assert worker.record_failure(Input("a", "a.png"), error).unexpected is unexpected
