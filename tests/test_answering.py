"""One photo of many, in one of many threads."""

import pickle

import pytest
import torch

from fullconv.answering import work_of
from fullconv.errors import ConfigError
from fullconv.exported import open_model
from fullconv.inputs import Input
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_a_key_follows_from_input_model_and_options(path):
    model, inputs = open_model(path), [Input("a", "a.png")]

    def key(one="a", **options):
        return work_of(model, path, inputs, out="out", **options).job.key(one)

    keys = [key(), key("b"), key(kinds=("labels",)), key(scales=(1.0, 2.0))]
    assert len(set(keys)) == 4
    same = {"out": "elsewhere", "threads": 7, "memory": "1GiB", "shard": (1, 2)}
    assert work_of(model, path, inputs, **same).job.key("a") == keys[0]


def test_work_travels_to_another_process_and_refuses_another_model_there(path, tmp_path):
    copy = write_model(tmp_path / "m.safetensors")
    work = work_of(open_model(copy), copy, [Input("a", "a.png")], out="out")
    assert pickle.loads(pickle.dumps(work)) == work  # noqa: S301
    write_model(copy, 1)
    with pytest.raises(ConfigError, match="not the same model here"):
        work.prepare()


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "not enough memory"), (KeyError("x"), "nobody expected .KeyError: 'x'")],
)
def test_errors_become_sentences(path, error, text):
    work = work_of(open_model(path), path, [], out="out")
    failure = work.failed(Input("a", "folder/a.png"), error)
    assert failure.error.startswith("folder/a.png: ") and text in failure.error.replace("(", ".")


def test_memory_is_for_all_that_is_computed_at_once(path, monkeypatch):
    monkeypatch.setattr("fullconv.answering.cores", lambda: 8)
    model = open_model(path)
    assert work_of(model, path, [], out="o", threads=2, memory="1GiB").memory == 2**28
    assert work_of(model, path, [], out="o", threads=8, memory="1GiB").memory == 2**30
    assert work_of(model, path, [], out="o", threads=8).memory is None
    assert torch.get_num_threads() == work_of(model, path, [], out="o").threads
