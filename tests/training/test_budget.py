"""Minutes become steps and evaluations that fit into them."""

import pytest

from fullconv.training.budget import (
    ENOUGH_STEPS,
    GALLERY,
    REPORT_SECONDS,
    Timing,
    plan_evaluations,
    plan_part,
)


@pytest.mark.parametrize("minutes", [2, 15, 120])
@pytest.mark.parametrize("step", [0.01, 0.3, 2.5])
@pytest.mark.parametrize(("image", "samples"), [(0.002, 10), (0.05, 60), (0.4, 60), (0.2, 5000)])
def test_everything_fits_and_a_tenth_goes_into_evaluation(minutes, step, image, samples):
    part = plan_part(60 * minutes, Timing(step, image), samples, spent=5.0)
    assert part.evaluate_steps
    evaluations = -(-part.end // part.evaluate_steps)
    final = part.final_images or samples
    images = evaluations * (part.evaluate_images or samples) + final + min(final, GALLERY)
    assert images * image <= 0.1 * 60 * minutes + (4 + GALLERY) * image
    total = part.end * step + images * image + 5.0 + REPORT_SECONDS
    assert 0.85 * 60 * minutes <= total <= 60 * minutes + step
    assert 1 <= evaluations <= 20


def test_few_photos_get_as_many_steps_as_fit():
    part = plan_part(900, Timing(0.4, 0.03), 10)
    assert part.end > ENOUGH_STEPS and part.evaluate_images is None and part.final_images is None


def test_slow_evaluations_use_fewer_photos_and_fewer_times():
    whole = plan_evaluations(90, 900, Timing(0.4, 0.05), 60)
    assert (whole.images, whole.final) == (60, 60) and whole.count >= 20
    fewer = plan_evaluations(90, 900, Timing(0.4, 0.5), 60)
    assert fewer.final == 60 and 4 <= fewer.images < 60 and fewer.count == 6
    slow = plan_evaluations(90, 900, Timing(0.4, 5.0), 60)
    assert slow.final == 9 and slow.images == 4 and slow.count == 1


def test_a_further_part_keeps_the_number_of_images():
    part = plan_part(600, Timing(0.5, 0.1), 100, start=77, images=30)
    assert part.start == 77 and part.evaluate_images == 30 and part.end > 77


def test_there_is_always_a_step():
    part = plan_part(0.5, Timing(60.0, 9.0), 3, spent=100.0)
    assert (part.end, part.evaluate_steps) == (1, 1)


def test_nothing_to_evaluate_leaves_all_time_for_steps():
    part = plan_part(60, Timing(0.1, 0.0), 0)
    assert part.end * 0.1 > 50 and part.evaluate_steps == part.end


def test_reading_the_photos_for_the_first_time_is_planned_once():
    plain, slow = (plan_part(100, Timing(0.1, 0.0, reading), 0) for reading in (0.0, 20.0))
    assert plain.end - slow.end == 200
