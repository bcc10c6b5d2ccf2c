"""Steps of a training use the memory and the code of layers of the steps before."""

import os
import subprocess
import sys

import pytest

import fullconv as fc
from fullconv.inference import heap

TRAINING = """
import sys
from fullconv.__main__ import main
from fullconv.training.train_step import TrainStep
compute = TrainStep.__call__

def marked(self, batch, done):
    print("step", flush=True)
    return compute(self, batch, done)

TrainStep.__call__ = marked
settings = ["freeze_bn=true", "zoom=[1,1]", "preflight=false"]
sys.argv[1:] = ["train", "scenes:8@64x64", "--out", sys.argv[1], "--weights", "none", "--quiet"]
sys.argv += ["--model", "fcn4s-efficientnet_lite2", "--crop", "64x64", "--batch", "2"]
sys.argv += ["--steps", "3", *(part for text in settings for part in ("--set", text))]
main()
"""


def test_after_the_first_step_of_the_command_no_code_is_made(tmp_path):
    unset = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    # With one thread, PyTorch computes 1 x 1 convolutions without oneDNN, and needs less code.
    environment |= {"ONEDNN_VERBOSE": "profile_create", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", TRAINING, str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    misses = [text.count("create:cache_miss") for text in ran.stdout.split("step\n")]
    assert misses[0] + misses[1] > 128  # more than what predictions keep
    assert misses[2] == 0


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
