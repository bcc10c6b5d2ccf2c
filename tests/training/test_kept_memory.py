"""Steps of a training use the memory and the code of layers of the steps before."""

import os
import subprocess
import sys

import pytest

import fullconv as fc
from fullconv.inference import heap

TRAINING = """
import fullconv as fc
from fullconv.hardware import keep_layer_code
keep_layer_code()
data = fc.open_data("scenes:4@64x64", "train")
model = fc.Model(fc.create_model("fcn4s-efficientnet_lite2", len(data.classes)), data.classes)
config = fc.TrainConfig(steps=3, batch=2, crop=(64, 64), zoom=(1, 1), freeze_bn=True)
for step in fc.train(model, data, config):
    print("step", flush=True)
"""


def test_after_the_first_step_none_is_made():
    unset = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"ONEDNN_VERBOSE": "profile_create", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TRAINING]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, *later = ran.stdout.split("step\n")
    assert first.count("create:cache_miss") > 128  # more than the fewest that predictions need
    assert [text.count("create:cache_miss") for text in later] == [0, 0, 0]


@pytest.fixture
def calls(monkeypatch):
    """Record the calls of glibc's functions."""
    calls = []
    monkeypatch.setattr(heap, "_glibc", lambda name: lambda *given: calls.append((name, *given)))
    return calls


def test_the_heap_keeps_all_between_the_steps_and_gives_it_back_at_the_end(calls):
    data = fc.open_data("scenes:2@32x32", "train")
    model = fc.Model(fc.create_model("fcn8s-vgg11", len(data.classes), width=1 / 16), data.classes)
    trim = ("mallopt", heap._TRIM_THRESHOLD)
    for _ in fc.train(model, data, fc.TrainConfig(steps=2, batch=2, crop=(32, 32), device="cpu")):
        assert [call for call in calls if call[:2] == trim][-1] == (*trim, heap.KEPT_FOR_STEPS)
    assert calls[-2:] == [(*trim, heap.KEPT), ("malloc_trim", 0)]
