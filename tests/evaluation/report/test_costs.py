from fullconv.evaluation.report.costs import costs


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
