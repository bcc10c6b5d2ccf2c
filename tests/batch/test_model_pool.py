"""A model for every thread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fullconv.batch.model_pool import ModelPool
from fullconv.export.exported import open_model
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.mark.parametrize("optimized", [False, True])
def test_threads_at_the_same_time_answer_as_one_after_the_other(path, optimized):
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (40 + n, 61 - n, 3), np.uint8) for n in range(24)]
    model = open_model(path)
    twins = ModelPool(open_model(path))
    if optimized:
        model.optimize()
        twins.optimize()

    def answer(image):
        with twins.borrow() as twin:
            return twin.predict(image, memory="64MiB").labels

    with ThreadPoolExecutor(4) as pool:
        for image, found in zip(images, pool.map(answer, images), strict=True):
            assert (found == model.predict(image, memory="64MiB").labels).all()


def test_twins_share_their_weights(path):
    twins = ModelPool(open_model(path))
    with twins.borrow() as one, twins.borrow() as other:
        assert one is not other
        mine, others = (twin.network.state_dict() for twin in (one, other))
        assert all(mine[name].data_ptr() == others[name].data_ptr() for name in mine)
    with twins.borrow() as again:
        assert again is one or again is other


def test_those_of_before_are_not_answered_with_once_they_are_prepared(path):
    twins = ModelPool(open_model(path))
    with twins.borrow() as plain:
        assert plain.network.optimized_backbone is None
    twins.optimize()
    with twins.borrow() as prepared:
        assert prepared.network.optimized_backbone is not None
