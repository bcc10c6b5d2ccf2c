"""The comparison of scores before an engine is used."""

import pytest
import torch

import export_models
from fullconv.engines.proof import TOLERANCE, check_scores, compare, sample_image
from fullconv.errors import ExportError


def scores():
    torch.manual_seed(1)
    return torch.randn(1, 4, 30, 20)


def test_rounding_passes_and_is_returned_relative_to_the_largest_score():
    expected = scores()
    largest = expected.abs().max()
    found = expected.clone()
    found[0, 1, 2, 3] += 0.5 * TOLERANCE * largest
    assert check_scores(expected, found) == pytest.approx(0.5 * TOLERANCE, rel=0.1)


def test_larger_differences_nan_and_other_shapes_are_refused():
    expected = scores()
    found = expected.clone()
    found[0, 1, 2, 3] += 2 * TOLERANCE * expected.abs().max()
    with pytest.raises(ExportError, match="differ from PyTorch's"):
        check_scores(expected, found)
    with pytest.raises(ExportError, match="differ from PyTorch's"):
        check_scores(expected, torch.full_like(expected, torch.nan))
    with pytest.raises(ExportError, match="shape"):
        check_scores(expected, expected[:, :3])


def test_labels_may_differ_at_ties_only():
    expected = torch.zeros(1, 2, 1, 2)
    expected[0, 0, 0] = torch.tensor([1.0, 1.0])
    expected[0, 1, 0] = torch.tensor([1.0, 0.0])  # the first pixel is a tie
    found = expected.clone()
    found[0, 1, 0, 0] += 0.5 * TOLERANCE
    assert found.argmax(1).tolist() != expected.argmax(1).tolist()
    check_scores(expected, found)


def test_a_network_is_equal_to_itself_on_images_that_are_always_the_same():
    network = export_models.network()
    run = torch.inference_mode()(lambda image: network(torch.from_numpy(image)).numpy())
    assert compare(network, run) == 0
    image = sample_image((40, 50))
    assert torch.equal(image, sample_image((40, 50))) and image.shape == (1, 3, 40, 50)
    assert 0 <= image.min() < image.max() <= 255
