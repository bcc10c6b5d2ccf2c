"""One photo of many, in one of many threads."""

import pickle

import pytest

from fullconv.errors import ConfigError
from fullconv.exported import open_model
from fullconv.inputs import Input
from fullconv.jobs import work_of
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


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
