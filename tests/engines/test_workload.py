"""Whether a conversion pays."""

import pytest
import torch

from fullconv.engines import workload
from fullconv.engines.workload import (
    LARGE,
    Workload,
    conversion_seconds,
    images_at_once,
    memory_for_images,
)


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(10))


@pytest.fixture
def speed(monkeypatch):
    """Let PyTorch take so many seconds for an image of 360 x 480."""

    def set_speed(seconds):
        def timed(network, size):
            return seconds * size[0] * size[1] / (360 * 480)

        monkeypatch.setattr(workload, "time_network", timed)

    return set_speed


def test_a_conversion_pays_for_any_number_and_for_many_images_only(speed):
    speed(0.1)
    needed = workload.CAUTION * conversion_seconds(Small()) / (workload.GAIN * 0.1)
    assert Workload().conversion_pays(Small())
    assert not Workload(images=int(0.9 * needed)).conversion_pays(Small())
    assert Workload(images=int(1.1 * needed)).conversion_pays(Small())
    assert not Workload(images=int(1.1 * needed), at_once=2).conversion_pays(Small())


def test_larger_photos_and_more_passes_count_by_their_pixels(speed):
    speed(0.1)
    large = Workload(images=100, size=(3000, 4000))
    assert large.timed_size[0] * large.timed_size[1] <= workload.LARGEST_TIMED
    assert large.seconds(1.0, (300, 400)) == pytest.approx(10_000)
    assert large.conversion_pays(Small())
    assert Workload(images=10, passes=6.5).seconds(1.0, (360, 480)) == pytest.approx(65)


def test_pytorchs_speed_is_not_even_measured_for_few_pixels(monkeypatch):
    monkeypatch.setattr(workload, "time_network", lambda *_: pytest.fail("measured"))
    assert not Workload(images=20).conversion_pays(Small())


def test_opening_pays_if_it_saves_more_than_it_takes():
    ten = Workload(images=10)
    assert ten.opening_pays(0.3, 0.1, (360, 480), 1.9)
    assert not ten.opening_pays(0.3, 0.1, (360, 480), 2.1)
    assert Workload().opening_pays(0.3, 0.1, (360, 480), 1e9)


def test_as_many_large_images_are_computed_at_once_as_the_memory_holds_whole():
    size, image = (3000, 4000), 12_000_000 * 500

    def at_once(memory, images=100, cores=8):
        return images_at_once(size, images, cores, lambda: 500.0, memory)

    assert [at_once(share * image) for share in (20, 8, 7, 2, 1)] == [8, 8, 7, 2, 1]
    assert at_once(image // 2) == 1  # in parts, with all cores
    assert at_once(20 * image, images=3) == 3
    assert at_once(20 * image, cores=1) == at_once(20 * image, images=0) == 1


def test_small_images_are_computed_on_one_core_each_whatever_the_memory():
    def refuse():
        raise AssertionError("what a pixel takes is found out for large images only")

    assert images_at_once((360, 480), 100, 8, refuse, 1) == 8
    assert images_at_once((1000, 999), 100, 8, refuse, 1) == 8
    assert images_at_once((1, LARGE), 100, 8, lambda: 1.0, 3 * LARGE) == 3


def test_images_get_a_quarter_of_the_machine_s_memory_unless_a_limit_is_given(monkeypatch):
    monkeypatch.setattr(workload, "memory_limit", lambda: 8 * 2**30)
    assert memory_for_images(None) == 2 * 2**30
    assert memory_for_images(12345) == 12345
