"""All threads of a job use one model; its unoptimized form shares the weights."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fullconv.batch.shared_model import Computation, open_computed, open_model, unoptimized
from fullconv.errors import ConfigError
from fullconv.model import load
from fullconv.weights.fingerprint import file_fingerprint
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.mark.parametrize("optimized", [False, True])
def test_parallel_and_sequential_predictions_are_equal(path, optimized):
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (40 + n, 61 - n, 3), np.uint8) for n in range(24)]
    model, shared = load(path), load(path)
    if optimized:
        model.optimize()
        shared.optimize()
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda image: shared.predict(image, memory="64MiB").labels, images)
        for image, labels in zip(images, found, strict=True):
            assert (labels == model.predict(image, memory="64MiB").labels).all()


def test_a_model_is_opened_once(path):
    fingerprint = file_fingerprint(path)
    model = open_model(str(path), fingerprint, "cpu")
    assert open_model(str(path), fingerprint, "cpu") is model
    with pytest.raises(ConfigError, match="not the model that the job was created with"):
        open_model(str(path), "another", "cpu")


def test_what_computes_a_model_is_its_own_and_the_weights_are_shared(path):
    given = str(path), file_fingerprint(path), "cpu", ""
    plain, many = (open_computed(*given, Computation(optimize=on)) for on in (False, True))
    assert plain.network.optimized_backbone is None and many.network.optimized_backbone is not None
    assert open_computed(*given, Computation(optimize=True)) is many
    mine, others = (each.network.state_dict() for each in (plain, many))
    assert all(mine[name].data_ptr() == others[name].data_ptr() for name in mine)


def test_an_unoptimized_model_shares_the_weights(path):
    model = load(path).optimize()
    plain = unoptimized(model)
    assert model.network.optimized_backbone is not None
    assert plain.network.optimized_backbone is None and plain.classes == model.classes
    mine, others = (each.network.state_dict() for each in (model, plain))
    assert all(mine[name].data_ptr() == others[name].data_ptr() for name in mine)
