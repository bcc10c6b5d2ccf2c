import numpy as np
import pytest

from fullconv.export.benchmark.timing import (
    MIN_SECONDS,
    Spread,
    Timing,
    calls_per_round,
    interleaved_rounds,
)

IMAGES = np.zeros((1, 3, 2, 2), np.float32)


class FakeRunner:
    """A runner whose calls take `seconds`, and which logs them."""

    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, seconds, log

    precision = "fp32"
    scores = work = peak = lambda *_: pytest.fail("only turns are requested")

    def turn(self, images, calls):
        self.log.append((self.name, calls))
        return Timing(self.seconds, 2 * self.seconds)


def test_each_round_starts_with_another_engine():
    log = []
    runners = {name: FakeRunner(name, seconds, log) for name, seconds in (("a", 1.0), ("b", 0.01))}
    rounds = list(interleaved_rounds(runners, IMAGES, 3, pause=lambda: log.append("pause")))
    assert rounds == [{"a": Timing(1.0, 2.0), "b": Timing(0.01, 0.02)}] * 3
    assert all(list(turns) == ["a", "b"] for turns in rounds)
    warm, measured = log[:4], [one for one in log[4:] if one != "pause"]
    assert warm == [("a", 1), ("a", 1), ("b", 1), ("b", 1)]
    assert [name for name, _ in measured] == ["a", "b", "b", "a", "a", "b"]
    assert dict(measured) == {"a": 1, "b": 10}, "a turn lasts at least a tenth of a second"
    assert log[4::2] == ["pause"] * 6, "idle threads get time to sleep before each turn"


@pytest.mark.parametrize("seconds, calls", [(0, 100), (1e-9, 100), (MIN_SECONDS / 4, 4), (9, 1)])
def test_fast_engines_are_called_several_times_per_turn(seconds, calls):
    assert calls_per_round(seconds) == calls


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8])
def test_the_spread_equals_numpys_percentiles(count):
    values = np.random.default_rng(count).random(count)
    found = Spread.of(values.tolist())
    expected = np.percentile(values, [50, 25, 75])
    np.testing.assert_allclose([found.median, found.low, found.high], expected)
