"""A pool gives each thread its own model around shared weights."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fullconv.batch.model_pool import ModelPool
from fullconv.model import load
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.mark.parametrize("optimized", [False, True])
def test_parallel_and_sequential_predictions_are_equal(path, optimized):
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (40 + n, 61 - n, 3), np.uint8) for n in range(24)]
    model = load(path)
    pool = ModelPool(load(path))
    if optimized:
        model.optimize()
        pool.optimize()

    def predict(image):
        with pool.borrow() as lent:
            return lent.predict(image, memory="64MiB").labels

    with ThreadPoolExecutor(4) as threads:
        for image, found in zip(images, threads.map(predict, images), strict=True):
            assert (found == model.predict(image, memory="64MiB").labels).all()


def test_pooled_models_share_their_weights(path):
    pool = ModelPool(load(path))
    with pool.borrow() as one, pool.borrow() as other:
        assert one is not other
        mine, others = (model.network.state_dict() for model in (one, other))
        assert all(mine[name].data_ptr() == others[name].data_ptr() for name in mine)
    with pool.borrow() as again:
        assert again is one or again is other


def test_optimizing_discards_pooled_models(path):
    pool = ModelPool(load(path))
    with pool.borrow() as plain:
        assert plain.network.optimized_backbone is None
    pool.optimize()
    with pool.borrow() as optimized:
        assert optimized.network.optimized_backbone is not None
