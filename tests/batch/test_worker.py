"""One photo of many, in one of many threads."""

import pickle

import pytest

from fullconv.batch.inputs import Input
from fullconv.batch.job import create_job
from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.export.exported import open_model
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_work_travels_to_another_process_and_refuses_another_model_there(path, tmp_path):
    copy = write_model(tmp_path / "m.safetensors")
    work = create_job(open_model(copy), copy, [Input("a", "a.png")], out="out")
    assert pickle.loads(pickle.dumps(work)) == work  # noqa: S301
    write_model(copy, 1)
    with pytest.raises(ConfigError, match="not the same model here"):
        work.prepare()


def test_a_photo_that_shares_too_little_memory_is_told_so(path, monkeypatch):
    monkeypatch.setattr("fullconv.batch.job.usable_cores", lambda: 8)
    monkeypatch.setattr("fullconv.batch.worker.usable_cores", lambda: 8)
    photos = [Input(name, f"{name}.png") for name in "ab"]
    error = MemoryBudgetError("it takes 3.0 GiB: give it more")
    model = open_model(path)
    for memory, said in (("1GiB", "share 1GiB"), (None, "share half of what is free")):
        work = create_job(model, path, photos, out="out", threads=4, memory=memory)
        assert work.failed(photos[0], error).error.endswith(
            f"give it more, or say --threads 8: 2 photos at a time {said}"
        )
    alone = create_job(model, path, photos[:1], out="out", threads=4, memory="1GiB")
    assert alone.failed(photos[0], error).error == "a.png: it takes 3.0 GiB: give it more"


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "not enough memory"), (KeyError("x"), "nobody expected .KeyError: 'x'")],
)
def test_errors_become_sentences(path, error, text):
    work = create_job(open_model(path), path, [], out="out")
    failure = work.failed(Input("a", "folder/a.png"), error)
    assert failure.error.startswith("folder/a.png: ") and text in failure.error.replace("(", ".")
