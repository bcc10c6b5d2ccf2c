import numpy as np
import pytest
import torch

import export_models
from fullconv.errors import ExportError
from fullconv.export.parity import (
    TOLERANCE,
    check_parity,
    compare_runs,
    find_min_size,
    fixed_crops,
    largest_odd,
    odd_crops,
)


class Identity(torch.nn.Module):
    """A network whose scores are the image's channels."""

    def forward(self, image):
        return image * 1.0


def off_by(amount, least=1):
    """Return a run with an error at one pixel, relative to the largest score."""

    def run(image):
        if image.shape[2] < least:
            raise RuntimeError("too small\nand more")
        found = image.copy()
        found[0, 0, -1, -1] += amount * np.abs(image).max()
        return found

    return run


def test_there_are_at_least_three_odd_sizes_and_a_batch_of_two():
    for sizes in ([(70, 90)], [(200, 300)] * 5, [(1, 1)], [(900, 2000), (4, 3)]):
        found = [image.shape for image in odd_crops(export_models.photos(*sizes))]
        assert len({shape[2:] for shape in found}) >= 3
        assert all(side % 2 == 1 and side <= 641 for shape in found for side in shape[2:])
        assert [shape[0] for shape in found] == [1] * (len(found) - 1) + [2]


def test_batches_are_crops_of_the_photos():
    photo = export_models.photos((70, 90))[0]
    first = next(odd_crops([photo]))
    assert first.dtype == np.float32
    assert np.array_equal(first[0], photo[:69, :89].transpose(2, 0, 1))


@pytest.mark.parametrize(("side", "expected"), [(1, 1), (2, 1), (3, 3), (480, 479), (9000, 641)])
def test_the_largest_odd_side_up_to_the_limit(side, expected):
    assert largest_odd(side) == expected


def test_the_difference_is_relative_and_changed_labels_are_counted():
    photos = export_models.photos((50, 60))
    assert check_parity(Identity(), off_by(0), photos).difference == 0
    parity = check_parity(Identity(), off_by(TOLERANCE / 2), photos)
    assert parity.difference == pytest.approx(TOLERANCE / 2, rel=1e-2)
    assert parity.label_changes == 0 and parity.sizes[0] == (49, 59)


def test_errors_above_rounding_are_refused():
    with pytest.raises(ExportError, match=r"differ .* by 2\.0e-04 of .* at most 1e-04"):
        check_parity(Identity(), off_by(2 * TOLERANCE), export_models.photos())
    with pytest.raises(ExportError, match="differ"):
        check_parity(Identity(), lambda image: image * np.float32("nan"), export_models.photos())


def test_another_shape_is_refused():
    with pytest.raises(ExportError, match="scores of shape"):
        check_parity(Identity(), lambda image: image[..., :-1], export_models.photos())


def test_scores_of_zero_cannot_be_compared():
    black = [np.zeros((50, 60, 3), np.uint8)]
    with pytest.raises(ExportError, match="nothing can be compared"):
        check_parity(Identity(), off_by(0), black)


def test_the_minimum_size_is_the_smallest_with_correct_scores():
    assert find_min_size(Identity(), off_by(0)) == (1, 1)
    assert find_min_size(Identity(), off_by(0, least=17)) == (17, 17)
    with pytest.raises(ExportError, match=r"does not support images of 64 x 64 pixels: too small$"):
        find_min_size(Identity(), off_by(0, least=100))
    with pytest.raises(ExportError, match=r"differ by 5\.0e-01"):
        find_min_size(Identity(), off_by(0.5))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_file_for_one_size_is_compared_on_at_least_three_different_crops(count):
    found = list(fixed_crops(export_models.photos(*[(70, 90)] * count), (40, 31)))
    assert len(found) == max(3, count) and {image.shape for image in found} == {(1, 3, 40, 31)}
    assert len({image.tobytes() for image in found}) == len(found)
    assert len(check_parity(Identity(), off_by(0), export_models.photos(), (40, 30)).sizes) == 3


def test_runs_are_compared_by_scores_and_labels():
    images = [export_models.batch(1, 4, 5), export_models.batch(1, 2, 10)]
    assert compare_runs(lambda x: x, lambda x: x, images) == (0, 0)
    worst, changes = compare_runs(lambda x: x, lambda x: x[:, ::-1], images)
    expected = [np.abs(x - x[:, ::-1]).max() / x.max() for x in images]
    labels = [x.argmax(1) != x[:, ::-1].argmax(1) for x in images]
    assert worst == pytest.approx(max(expected), rel=1e-6)
    assert changes == sum(map(np.sum, labels)) / 40


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_runs_with_scores_that_are_no_numbers_are_refused(value):
    def broken(image):
        found = image.copy()
        found[0, 0, 0, 0] = value  # the label there may be the same
        return found

    with pytest.raises(ExportError, match="scores of an image of 4 x 5 pixels are not finite"):
        compare_runs(lambda x: x, broken, [export_models.batch(1, 4, 5)])
