"""The time of each stage is that of all photos and threads."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fullconv.batch.stage_times import StageTimes


def test_the_times_of_threads_add_up_also_of_what_fails():
    times = StageTimes()
    assert times.shares == {}

    def work(stage):
        with times.measure(stage):
            time.sleep(0.02)
            if stage == "read":
                raise ValueError

    with ThreadPoolExecutor(4) as pool:
        found = list(map(lambda stage: pool.submit(work, stage), ["compute"] * 3 + ["read"]))
    assert isinstance(found[-1].exception(), ValueError)
    assert times.seconds["compute"] >= 0.06 and times.seconds["read"] >= 0.02
    assert times.seconds["write"] == 0 == times.shares["write"]
    assert sum(times.shares.values()) == pytest.approx(1)


def test_a_copy_in_another_process_starts_at_zero():
    times = StageTimes()
    with times.measure("write"):
        pass
    assert set(pickle.loads(pickle.dumps(times)).seconds.values()) == {0.0}  # noqa: S301
