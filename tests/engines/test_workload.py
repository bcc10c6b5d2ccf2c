"""Whether a conversion pays."""

import pytest
import torch

from fullconv.engines import workload
from fullconv.engines.workload import Workload, conversion_seconds


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
