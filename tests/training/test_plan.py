"""The plan of a training: rounds, evaluations and the learning rate of every step."""

from itertools import pairwise

import pytest

import fullconv as fc
from fullconv.config import Part
from fullconv.errors import ConfigError
from fullconv.training.plan import TrainingPlan, further_rate, spread

PLANNED = (
    Part(end=23, asked="minutes=1", evaluate_steps=9),
    Part(start=23, end=31, lr=4e-4, asked="minutes=1", evaluate_steps=4),
    Part(start=29, end=50, lr=5e-4, asked="epochs=3"),
)


def plan_of(epoch_steps=7, **settings):
    return TrainingPlan.of(fc.TrainConfig(**settings), epoch_steps)


def test_rounds_are_epochs_or_the_steps_between_evaluations():
    epochs = plan_of(epochs=3, evaluate_every=2)
    assert [s for s in range(1, 22) if epochs.ends_round(s)] == [7, 14, 21]
    assert [s for s in range(1, 22) if epochs.evaluates(s)] == [14, 21]
    assert (epochs.steps, epochs.epochs, epochs.asked) == (21, 3, "epochs=3")
    cut = plan_of(steps=10)
    assert [s for s in range(1, 11) if cut.ends_round(s)] == [7, 10]
    planned = plan_of(minutes=1, plan=PLANNED)
    expected = [9, 18, 23, 27, 29, 35, 42, 49, 50]
    assert [s for s in range(1, 51) if planned.ends_round(s)] == expected
    assert [s for s in range(1, 51) if planned.evaluates(s)] == expected


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("parts", [PLANNED[:1], PLANNED[:2], PLANNED])
def test_evaluations_are_counted_as_they_happen(parts, every):
    plan = plan_of(minutes=1, plan=parts, evaluate_every=every)
    ends = [step for step in range(1, plan.steps + 1) if plan.evaluates(step)]
    for done in range(plan.steps + 1):
        assert plan.evaluations_after(done) == sum(step > done for step in ends), done
        assert plan.last_round(done, True) == max([s for s in ends if s <= done], default=0)


def test_a_plan_in_minutes_is_open_until_it_has_parts():
    assert plan_of(minutes=5).steps == 0 and plan_of().steps == 0
    assert plan_of(minutes=5, plan=PLANNED).steps == 50


@pytest.mark.parametrize(
    ("steps", "said"), [(11, ()), (10, ("up to 100% of 0.001",)), (4, ("up to 40% of 0.001",))]
)
def test_a_warmup_that_never_ends_is_said(steps, said):
    warnings = plan_of(steps=steps, lr=1e-3, warmup=10).warnings
    assert len(warnings) == len(said) and all(a in b for a, b in zip(said, warnings, strict=True))
    assert plan_of(minutes=1, plan=PLANNED, warmup=99).warnings == ()


def test_each_part_decays_from_its_own_rate():
    plan = plan_of(minutes=1, plan=PLANNED, lr=1e-3, warmup=2)
    rates = [plan.learning_rate(step) for step in range(50)]
    assert rates[:3] == [5e-4, 1e-3, 1e-3], "warmup, in the first part only"
    assert rates[23] == 4e-4 and rates[29] == 5e-4
    whole = plan_of(steps=23, lr=1e-3, warmup=2)
    assert rates[:23] == [whole.learning_rate(step) for step in range(23)]
    second = plan_of(minutes=1, plan=PLANNED[:2], lr=1e-3)
    assert rates[23:29] == [second.learning_rate(step) for step in range(23, 29)]
    assert all(b < a for a, b in pairwise(rates[29:])) and rates[49] < 5e-5


def test_a_training_goes_on_at_the_rate_it_had_but_at_half_the_peak_at_least():
    plan = plan_of(steps=100, lr=1e-3)
    assert further_rate(plan, 10) == plan.learning_rate(10) > 5e-4
    assert further_rate(plan, 70) == further_rate(plan, 100) == 5e-4
    assert further_rate(plan_of(steps=100, lr=1e-3, schedule="constant"), 100) == 1e-3


def test_a_new_part_replaces_those_that_were_never_begun():
    plan = plan_of(minutes=1, plan=PLANNED)
    assert plan.extended(Part(start=40, end=60)) == (*PLANNED, Part(start=40, end=60))
    assert plan.extended(Part(start=29, end=60)) == (*PLANNED[:2], Part(start=29, end=60))


def test_images_are_evenly_spaced():
    assert spread(10, 5) == [0, 2, 4, 6, 8] and spread(3, 9) == [0, 1, 2] == spread(3, None)
    plan = plan_of(minutes=1, plan=(Part(end=9, evaluate_images=2, final_images=4),))
    assert plan.images(8) == [0, 4] and plan.final_images(8) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("images", "count", "kept"),
    [(None, 3, "best"), (3, 3, "best"), (2, 3, "last"), (49, 400, "last"), (50, 400, "best")],
)
def test_the_best_of_a_few_images_is_not_kept(images, count, kept):
    parts = (Part(end=9, evaluate_images=images),)
    assert plan_of(minutes=1, plan=parts).kept(count) == kept
    assert plan_of(minutes=1, keep="last", plan=parts).kept(count) == "last"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minutes": 5, "epochs": 2}, "minutes and epochs are given"),
        ({"minutes": 0}, "minutes is 0"),
        ({"plan": [{"start": 3, "end": 9}]}, "start at 0"),
        ({"plan": [{"end": 9}, {"start": 9, "end": 9}]}, "ends after its start"),
        ({"plan": [{"end": 9}, {"start": 0, "end": 9}]}, "later steps"),
        ({"plan": [{"end": 10}, {"start": 20, "end": 30}]}, "no part has the steps 10 to 20"),
    ],
)
def test_contradictory_durations_are_rejected(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        fc.TrainConfig.checked(**settings)
    assert len(str(caught.value).splitlines()) == 1
