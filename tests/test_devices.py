"""Devices by their names; one that is not here is refused with what to say instead."""

import pytest
import torch

from fullconv.devices import choose_device
from fullconv.errors import ConfigError


def test_a_device_that_is_not_here():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no usable GPU"):
            choose_device("cuda")


def test_auto_is_the_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
