"""Memory is kept for the next image; what is unused is given back only while images differ."""

import subprocess
import sys

import pytest

from fullconv.inference import heap

LOOP = """
import resource, sys
from fullconv.inference.heap import keep_heap
if sys.argv[1] == "keep":
    keep_heap()
for _ in range(8):  # several tensors at once, as in a network
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [bytearray(12 << 20) for _ in range(6)]
    del held
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_the_next_image_gets_the_same_pages():
    def faults(way):
        command = [sys.executable, "-c", LOOP, way]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < 100 < 10_000 < faults("default")


def test_only_images_that_differ_free_the_heap(monkeypatch):
    calls = []
    monkeypatch.setattr(heap, "_glibc", lambda name: calls.append)
    monkeypatch.setattr(heap, "_last", (None, 0))
    for _ in range(10 * heap.EVERY):
        heap.free_heap((40, 50))
    assert calls == []
    for width in range(heap.EVERY):
        heap.free_heap((40, width))
    assert calls == [0]


def test_systems_without_glibc_do_nothing(monkeypatch):
    find = heap._glibc.__wrapped__
    monkeypatch.setattr(heap.sys, "platform", "darwin")
    assert find("malloc_trim") is None
    monkeypatch.setattr(heap, "_glibc", find)
    for width in range(2 * heap.EVERY):
        heap.free_heap((1, width))  # raises nothing
