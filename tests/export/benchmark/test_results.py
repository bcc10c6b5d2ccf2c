"""Results of an engine from its rounds: ratios, rates, and agreement with the first engine."""

import numpy as np
import pytest

from fullconv.export.benchmark.results import Measurements, product_name, times
from fullconv.export.benchmark.timing import Timing

IMAGES = np.zeros((1, 3, 2, 2), np.float32)
SCORES = np.array([[[[1.0, 2.0], [3.0, 4.0]], [[4.0, 3.0], [2.0, 1.0]]]], np.float32)


class FakeRunner:
    """A runner with given results."""

    def __init__(self, scores=SCORES, work=None, precision="fp32"):
        self.result, self.operations, self.precision = scores, work, precision

    def scores(self, images):
        return self.result

    def turn(self, images, calls):
        raise NotImplementedError

    def work(self, images):
        return self.operations

    def peak(self):
        return 7


def measurements(**engines):
    return Measurements(engines, {product_name("fp32"): FakeRunner(work=10**9)}, IMAGES)


def turn(wall, cpu=1.0):
    return Timing(wall, cpu)


ROUNDS = [
    {"a": turn(2.0), "b": turn(1.0), "fp32 product": turn(0.5)},
    {"a": turn(4.0), "b": turn(1.0), "fp32 product": turn(0.5)},
    {"a": turn(9.0), "b": turn(3.0), "fp32 product": turn(1.0)},
]


def test_the_ratio_is_the_median_of_the_ratios_of_each_round():
    row = measurements(a=FakeRunner(), b=FakeRunner(work=5 * 10**8)).row("b", ROUNDS, "wall")
    assert row.speedup.median == 3, "the median of 2, 4 and 3; the ratio of the medians would be 4"
    assert row.gflop == 1.0 and row.rate == 1.0 and row.memory == 7
    # Rates of 1, 1 and 1/3; those of the product are 4, 4 and 2.
    assert row.share == pytest.approx(0.25) and row.timings == tuple(r["b"] for r in ROUNDS)


def test_an_engine_of_unknown_work_has_no_rate_and_no_share_of_the_peak():
    row = measurements(a=FakeRunner()).row("a", ROUNDS, "wall")
    assert row.gflop is row.rate is row.share is None and row.throughput == 1 / 4


def test_scores_are_compared_with_those_of_the_first_engine():
    moved = SCORES.copy()
    moved[0, 0, 0, 0] = 5.0  # changes the label of one of four pixels; error 4, largest score 4
    found = measurements(
        a=FakeRunner(), b=FakeRunner(moved), c=FakeRunner(np.zeros((1, 5, 2, 2), np.float32))
    )
    rows = {
        name: found.row(name, [{n: turn(1.0) for n in ("a", "b", "c", "fp32 product")}], "cpu")
        for name in ("a", "b", "c")
    }
    assert (rows["a"].difference, rows["a"].agreement) == (0, 1)
    assert rows["b"].difference == pytest.approx(1.0) and rows["b"].agreement == 0.75
    assert rows["c"].difference is None and rows["c"].agreement is None, (
        "the number of classes differs"
    )


def test_a_time_of_zero_is_replaced_by_a_tiny_one():
    assert times([{"a": turn(0.0, 2.0)}], "a", "wall") == [1e-9]
    assert times([{"a": turn(0.0, 2.0)}], "a", "cpu") == [2.0]
