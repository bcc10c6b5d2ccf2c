"""One photo of many, in one of many threads."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fullconv.answering import Twins, averaged_answer, file_fingerprint, work_of
from fullconv.errors import ConfigError
from fullconv.exported import open_model
from fullconv.images import scale_image
from fullconv.inputs import Input
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.mark.parametrize("optimized", [False, True])
def test_threads_at_the_same_time_answer_as_one_after_the_other(path, optimized):
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (40 + n, 61 - n, 3), np.uint8) for n in range(24)]
    model = open_model(path)
    twins = Twins(open_model(path))
    if optimized:
        model.optimize()
        twins.optimize()

    def answer(image):
        with twins.lent() as twin:
            return twin.predict(image, memory="64MiB").labels

    with ThreadPoolExecutor(4) as pool:
        for image, found in zip(images, pool.map(answer, images), strict=True):
            assert (found == model.predict(image, memory="64MiB").labels).all()


def test_twins_share_their_weights(path):
    twins = Twins(open_model(path))
    with twins.lent() as one, twins.lent() as other:
        assert one is not other
        mine, others = (twin.network.state_dict() for twin in (one, other))
        assert all(mine[name].data_ptr() == others[name].data_ptr() for name in mine)
    with twins.lent() as again:
        assert again is one or again is other


def test_a_model_is_known_by_its_bytes(path, tmp_path):
    copy = tmp_path / "copied.safetensors"
    copy.write_bytes(path.read_bytes())
    assert file_fingerprint(copy) == file_fingerprint(path)
    assert file_fingerprint(write_model(tmp_path / "m.safetensors", 1)) != file_fingerprint(path)


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


def test_scales_count_from_the_size_that_photos_are_fitted_into(path):
    model = copy.copy(open_model(path))
    model.size = (24, 32)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    model.network.eval()
    by_hand = []
    for size in ((12, 16), (24, 32)):
        view = torch.from_numpy(scale_image(image, size)).permute(2, 0, 1)[None].float()
        for mirrored in (False, True):
            with torch.inference_mode():
                score = model.network(view.flip(-1) if mirrored else view)
            score = score.flip(-1) if mirrored else score
            whole = torch.nn.functional.interpolate(score, (48, 64), mode="bilinear")
            by_hand.append(whole[0].double().softmax(0))
    found = averaged_answer(model, image, (0.5, 1.0)).probabilities
    np.testing.assert_allclose(found, torch.stack(by_hand).mean(0).numpy(), atol=1e-5)
