"""The remaining time follows the measured times of steps and evaluations."""

import pytest

import fullconv as fc
from fullconv.config import Part
from fullconv.training.budget import GALLERY, REPORT_SECONDS, Timing
from fullconv.training.plan import TrainingPlan
from fullconv.training.time_left import RECENT, TimeLeft


def time_left(timing=None, planned=0.1):
    part = Part(end=200, evaluate_steps=50, evaluate_images=5, step_seconds=planned)
    plan = TrainingPlan.of(fc.TrainConfig(minutes=1, plan=(part,)), 10)
    return TimeLeft(plan, timing, 20)


def test_it_counts_steps_evaluations_and_the_report():
    left = time_left(Timing(0.1, 0.5))
    final = 20 + GALLERY
    assert left.seconds() == pytest.approx(200 * 0.1 + (4 * 5 + final) * 0.5 + REPORT_SECONDS)
    for step in range(1, 61):
        left.add_step(step, 0.2)
    left.add_evaluation(10.0)
    assert left.seconds() == pytest.approx(140 * 0.2 + (3 * 5 + final) * 2.0 + REPORT_SECONDS)


def test_nothing_measured_uses_the_first_steps():
    left = time_left(planned=None)
    left.add_step(1, 3.0)
    assert left.seconds() == pytest.approx(199 * 3.0 + REPORT_SECONDS)


def test_a_slow_machine_is_noticed_once():
    left = time_left(Timing(0.1, 0.0))
    for step in range(1, RECENT):
        left.add_step(step, 0.2)
        assert not left.lateness()
    left.add_step(RECENT, 0.2)
    assert "0.2 s instead of the planned 0.1 s" in left.lateness()
    assert not left.lateness()
    quick = time_left(Timing(0.1, 0.0))
    for step in range(1, 100):
        quick.add_step(step, 0.12)
        assert not quick.lateness()
