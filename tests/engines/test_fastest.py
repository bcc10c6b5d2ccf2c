"""The fastest engine, on an idle and on a busy machine."""

import pytest

from fullconv.engines.cache import Measured
from fullconv.engines.fastest import fastest_engine


def _fastest(busy, **seconds):
    asked = []

    def is_busy():
        asked.append(True)
        return busy

    return *fastest_engine(Measured(size=(360, 480), seconds=seconds), is_busy), bool(asked)


@pytest.mark.parametrize(
    ("seconds", "idle", "beside"),
    [
        ({"torch": 0.09, "onnx": 0.041, "openvino": 0.040}, "openvino", "onnx"),
        ({"torch": 0.09, "onnx": 0.060, "openvino": 0.040}, "openvino", "openvino"),
        ({"torch": 0.09, "onnx": 0.030, "openvino": 0.040}, "onnx", "onnx"),
        ({"torch": 0.09, "openvino": 0.075}, "openvino", "torch"),
        ({"torch": 0.09, "onnx": 0.085}, "torch", "torch"),
        ({"torch": 0.09}, "torch", "torch"),
    ],
)
def test_an_engine_that_other_programs_slow_down_less_is_used_beside_them(seconds, idle, beside):
    name, reason, asked = _fastest(False, **seconds)
    assert name == idle and "busy" not in reason
    assert asked == (idle != beside), "the machine is looked at only if that decides"
    name, reason, _ = _fastest(True, **seconds)
    assert name == beside and ("busy" in reason) == (idle != beside)


def test_the_reason_has_what_was_measured():
    assert _fastest(False, torch=0.09, onnx=0.041, openvino=0.03)[1] == (
        "OpenVINO, 3.0 times as fast as PyTorch (30 to 90 ms), equal scores"
    )
    assert _fastest(True, torch=0.09, onnx=0.041, openvino=0.04)[1] == (
        "ONNX Runtime, which the other programs of this busy machine slow down less than OpenVINO "
        "(41 and 40 ms without them)"
    )
    assert _fastest(True, torch=0.03, onnx=0.041)[1] == (
        "PyTorch is the fastest here (PyTorch 30 ms, ONNX Runtime 41 ms)"
    )
