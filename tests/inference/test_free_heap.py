"""Unused memory is given back only while images differ."""

from fullconv.inference import free_heap


def test_only_images_that_differ_free_the_heap(monkeypatch):
    calls = []
    monkeypatch.setattr(free_heap, "_malloc_trim", lambda: calls.append)
    monkeypatch.setattr(free_heap, "_last", (None, 0))
    for _ in range(10 * free_heap.EVERY):
        free_heap.free_heap((40, 50))
    assert calls == []
    for width in range(free_heap.EVERY):
        free_heap.free_heap((40, width))
    assert calls == [0]


def test_systems_without_glibc_do_nothing(monkeypatch):
    find = free_heap._malloc_trim.__wrapped__
    monkeypatch.setattr(free_heap.sys, "platform", "darwin")
    assert find() is None
    monkeypatch.setattr(free_heap, "_malloc_trim", find)
    for width in range(2 * free_heap.EVERY):
        free_heap.free_heap((1, width))  # raises nothing
