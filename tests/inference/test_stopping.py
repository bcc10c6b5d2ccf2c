"""A prediction stops before its next part when it is asked to."""

import numpy as np
import pytest

from fullconv.inference.stopping import StoppedError, check_stop, never
from fullconv.model import load
from photos import write_model


class Counter:
    """Return True from the call `last` on."""

    def __init__(self, last):
        self.calls, self.last = 0, last

    def __call__(self):
        self.calls += 1
        return self.calls >= self.last


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(write_model(tmp_path_factory.mktemp("model") / "model.safetensors"))


IMAGE = np.zeros((1200, 200, 3), np.uint8)


def test_each_strip_asks(model):
    memory = 40 * 2**20
    asked = Counter(10**9)
    whole = model.predict(IMAGE, memory=memory, stop=asked)
    assert whole.plan.kind == "strips" and asked.calls > 3
    stopped = Counter(3)
    with pytest.raises(StoppedError):
        model.predict(IMAGE, memory=memory, stop=stopped)
    assert stopped.calls == 3


def test_each_image_and_each_view_asks(model):
    small = IMAGE[:40, :40]
    asked = Counter(3)
    with pytest.raises(StoppedError):
        model.predict([small] * 5, stop=asked)
    views = Counter(10**9)
    model.predict(small, scales=(1.0, 1.5), stop=views)
    assert views.calls == 4


def test_never_stops(model):
    assert not never()
    check_stop(never)
    with pytest.raises(StoppedError):
        check_stop(lambda: True)
