"""Predicting photos of ever new sizes does not take more and more memory."""

import json
import subprocess
import sys

import pytest

from export_models import model as exportable_model
from export_models import photos
from fullconv.export.export import export

MIB = 2**20
PROGRAM = """
import json, random, re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np, torch
import fullconv as fc

name, count, first, largest, threads, optimized, memory = json.loads(sys.argv[1])
torch.set_num_threads(1)
vgg = {"width": 1 / 32, "hidden": 4} if "vgg" in name else {}
if Path(name).is_file():
    model = fc.load(name)
else:
    padding = 100 if vgg else "same"
    model = fc.Model(fc.create_model(name, 3, padding=padding, **vgg).eval(), ["a", "b", "c"])
if optimized:
    model.optimize()
draw = random.Random(0)
sizes = [(draw.randint(1, largest), draw.randint(1, largest)) for _ in range(count)]
held = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def predict(size):
    model.predict(np.zeros((*size, 3), np.uint8), memory=memory)

predict((largest, largest))
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(predict, sizes[:first]))
    before = held()
    list(pool.map(predict, sizes[first:]))
    print(json.dumps(held() - before))
"""


def growth(name, count, first, largest, threads=1, optimized=False, memory=None):
    """Return the bytes that a process grows by after the `first` of `count` photos."""
    given = json.dumps([name, count, first, largest, threads, optimized, memory])
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_new_sizes_do_not_add_up():
    assert growth("fcn8s-vgg11", 500, 200, 96) <= 10 * MIB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fcn8s-vgg11", {}),
        ("fcn8s-vgg11", {"optimized": True}),
        ("fcn8s-vgg11", {"threads": 8}),
        ("fcn8s-vgg11", {"memory": "40MiB"}),
        ("fcn32s-resnet18", {"optimized": True}),
    ],
)
def test_thousands_of_photos_of_different_sizes(name, settings):
    assert growth(name, 2000, 500, 160, **settings) <= 10 * MIB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
def test_thousands_of_photos_with_exported_files(tmp_path, suffix):
    pytest.importorskip({".onnx": "onnxruntime", ".xml": "openvino", ".pt2": "torch"}[suffix])
    path = tmp_path / f"m{suffix}"
    export(exportable_model(padding=100), path, photos((33, 31), (45, 61), (7, 9)))
    assert growth(str(path), 2000, 500, 160) <= 10 * MIB
