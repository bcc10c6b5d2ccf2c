"""Costs of training, from the rows of results.csv."""

from fullconv.evaluation.report.costs import training_costs


def row(epoch, **values):
    return {"epoch": epoch, "seconds": 60.0} | values


def test_costs_are_read_from_the_rows():
    rows = [
        row(1, step_seconds=0.05, images_per_second=80.0, memory=2.0**30),
        row(2, step_seconds=0.04, images_per_second=100.0, memory=3 * 2.0**29),
        row(3, step_seconds=0.5, images_per_second=8.0, memory=3 * 2.0**29),
    ]
    found = {cost.name: cost.value for cost in training_costs(rows)}
    assert found == {
        "time": "3 min 00 s",
        "time per step": "50 ms",
        "images/s": "80",
        "memory": "1.5 GiB",
    }


def test_missing_columns_are_skipped():
    assert training_costs([]) == []
    (time,) = training_costs([row(1)])
    assert time.value == "1 min 00 s" and time.curve is None, "a single epoch has no curve"
    assert [cost.name for cost in training_costs([row(1), row(2, memory=float("nan"))])] == ["time"]


def test_rows_between_evaluations_are_not_counted_as_epochs():
    (time,) = training_costs([row(4), row(9)])
    assert time.meaning == "9 epochs, with evaluation" and time.value == "2 min 00 s"
    (time,) = training_costs([row(1), row(1)])
    assert time.meaning == "1 epoch, with evaluation"
