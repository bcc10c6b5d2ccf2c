import pytest
import torch

from fullconv.evaluation.report.costs import clock, costs, short_time
from fullconv.hardware import peak_memory


def row(epoch, **values):
    return {"epoch": epoch, "seconds": 60.0} | values


def test_the_costs_of_a_training_are_read_from_its_rows():
    rows = [
        row(1, step_seconds=0.05, images_per_second=80.0, memory=2.0**30),
        row(2, step_seconds=0.04, images_per_second=100.0, memory=3 * 2.0**29),
        row(3, step_seconds=0.5, images_per_second=8.0, memory=3 * 2.0**29),
    ]
    found = {cost.name: cost.value for cost in costs(rows)}
    assert found == {
        "time": "3 min 00 s",
        "a step": "50 ms",
        "images a second": "80",
        "memory": "1.5 GiB",
    }


def test_rows_that_tell_less_give_less():
    assert costs([]) == []
    (time,) = costs([row(1)])
    assert time.value == "1 min 00 s" and time.curve is None, "one epoch is no curve"
    assert [cost.name for cost in costs([row(1), row(2, memory=float("nan"))])] == ["time"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0.20 s"),
        (41, "41 s"),
        (59.7, "1 min 00 s"),
        (252, "4 min 12 s"),
        (3599.9, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_for_people(seconds, said):
    assert clock(seconds) == said


def test_short_times():
    assert (short_time(0.0384), short_time(1.239)) == ("38 ms", "1.24 s")


def test_the_peak_of_memory_grows_with_what_is_held():
    before = peak_memory(torch.device("cpu"))
    held = torch.ones(2**26)  # 256 MiB
    assert peak_memory(torch.device("cpu")) > before or before > 2**30
    assert before > 2**24 and held.sum() > 0
