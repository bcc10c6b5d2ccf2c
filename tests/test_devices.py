"""Devices by their names; one that is not here is refused with what to say instead."""

import pytest
import torch

from fullconv import hardware as devices
from fullconv.errors import ConfigError
from fullconv.hardware import choose_device, usable_cores


def test_a_device_that_is_not_here():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no usable GPU"):
            choose_device("cuda")


def test_auto_is_the_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 8), ("150000 100000", 2), ("5000 100000", 1), ("", 8)]
)
def test_a_containers_limit_counts(content, cores, tmp_path, monkeypatch):
    limit = tmp_path / "cpu.max"
    limit.write_text(content)
    monkeypatch.setattr(devices, "CGROUP", limit)
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert usable_cores() == cores
