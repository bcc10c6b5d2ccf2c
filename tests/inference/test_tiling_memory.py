"""Memory of tiled prediction on large images, measured in a separate process."""

import json
import subprocess
import sys

import pytest

MIB = 2**20
PROGRAM = """
import json, re, sys
from pathlib import Path
import numpy as np, torch
import fullconv as fc
from fullconv.inference.tiling import plan, stream

width, height, rows, memory, name, share = json.loads(sys.argv[1])
torch.manual_seed(0)
network = fc.create_model(name, 21, width=share, hidden=int(share * 4096)).eval()
torch.nn.init.normal_(network.score_fr.weight)
with torch.inference_mode():
    network(torch.zeros(1, 3, 64, 64))
block = np.random.default_rng(0).integers(0, 256, (256, width, 3), dtype=np.uint8)
read = lambda w: np.take(block, range(w.top, w.bottom), 0, mode="wrap")[:, w.left : w.right]
# Not getrusage: its peak starts at that of the parent process.
status = lambda: Path("/proc/self/status").read_text()
resource_used = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", status())[1]) * 1024
before = resource_used()
planned = plan(network, (height, width), memory)
pixels = sum(part.labels.size for part in stream(network, read, planned, rows=tuple(rows)))
print(json.dumps({"kind": planned.kind, "expected": planned.peak, "pixels": pixels,
                  "before": before, "grown": resource_used() - before}))
"""


def measure(width, height, rows, memory, name="fcn8s-vgg11", share=1 / 16):
    arguments = json.dumps([width, height, rows, memory, name, share])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_400_megapixels_need_no_more_memory_than_planned():
    found = measure(20_000, 20_000, (9_000, 9_800), "1GiB")
    assert found["kind"] == "strips" and found["pixels"] == 800 * 20_000
    assert found["grown"] <= 1024 * MIB and found["before"] + found["grown"] <= 2048 * MIB


@pytest.mark.slow
def test_memory_does_not_depend_on_the_height():
    low = measure(6_000, 2_000, (0, 2_000), "512MiB")
    high = measure(6_000, 200_000, (0, 4_000), "512MiB")
    assert low["kind"] == high["kind"] == "strips"
    assert high["grown"] <= 1.15 * low["grown"] and high["grown"] <= 512 * MIB
