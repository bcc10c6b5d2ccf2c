"""Test-time augmentation: probabilities averaged over scales and flips."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from fullconv.errors import ConfigError
from fullconv.inference.tta import average_score
from fullconv.inference.tta_scales import SCALES


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Conv2d(3, 4, 5, padding=2).eval().requires_grad_(False)


def photo(height=20, width=31):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def scored(network):
    return lambda image: network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 64)[0]


def plain_loop(network, image, scales, flip):
    """Average without our code: resize, flip, score, resize back, flip back, softmax."""
    height, width = image.shape[:2]
    total, count = np.zeros((4, height, width)), 0
    for scale in scales:
        for mirrored in [False, True][: 1 + flip]:
            size = (round(width * scale), round(height * scale))
            picture = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
            if mirrored:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.tensor(np.array(picture)).permute(2, 0, 1)[None] / 64
            score = F.interpolate(network(pixels), (height, width), mode="bilinear")
            if mirrored:
                score = score[..., list(range(width))[::-1]]
            exponential = np.exp(score[0].double().numpy())
            total += exponential / exponential.sum(0)
            count += 1
    return total / count


@pytest.mark.parametrize("scales", [(1.0,), SCALES, (0.5, 1.7), (0.3,)])
@pytest.mark.parametrize("flip", [False, True])
def test_tta_equals_a_plain_loop(network, scales, flip):
    found = average_score(scored(network), photo(), scales, flip).softmax(0)
    assert np.abs(found.numpy() - plain_loop(network, photo(), scales, flip)).max() < 1e-6


def test_a_single_view_without_flip_equals_the_plain_prediction(network):
    score = scored(network)(photo())
    found = average_score(scored(network), photo(), (1.0,), flip=False)
    assert torch.equal(found.argmax(0), score.argmax(0))
    assert torch.allclose(found, score.log_softmax(0))


def test_probabilities_are_averaged_not_scores():
    """The mean of 0.99, 0.01 and 0.4, 0.6 is 0.695, 0.305."""
    probabilities = iter([[0.99, 0.01], [0.4, 0.6]])

    def score(image):
        return (
            torch.tensor(next(probabilities))
            .log()
            .view(2, 1, 1)
            .expand(2, *image.shape[:2])
            .clone()
        )

    found = average_score(score, photo(2, 2), (1.0,), flip=True).softmax(0)
    assert found[:, 0, 0].tolist() == pytest.approx([0.695, 0.305])


def test_a_flipped_photo_has_the_flipped_prediction(network):
    one = average_score(scored(network), photo(), SCALES, flip=True)
    mirrored = np.ascontiguousarray(photo()[:, ::-1])
    other = average_score(scored(network), mirrored, SCALES, flip=True)
    assert torch.allclose(one, other.flip(-1), atol=1e-4)


def test_certain_predictions_have_finite_scores():
    def score(image):
        return torch.tensor([500.0, -500.0]).view(2, 1, 1).expand(2, *image.shape[:2]).clone()

    found = average_score(score, photo(4, 4))
    assert found.isfinite().all() and found.softmax(0)[0].eq(1).all()


def test_a_photo_of_one_pixel_is_averaged(network):
    assert average_score(scored(network), photo(1, 1), (0.1, 1.0, 3.0)).shape == (4, 1, 1)


def test_scales_are_relative_to_the_working_size(network):
    seen = []

    def score(image):
        seen.append(image.shape[:2])
        return scored(network)(image)

    average_score(score, photo(40, 80), (0.5, 1.0, 1.5), flip=False, size=(20, 60))
    assert seen == [(10, 20), (20, 40), (30, 60)]
    average_score(score, photo(10, 20), (1.0, 2.0), flip=False, size=(20, 60))
    assert seen[3:] == [(10, 20), (20, 40)], "a small photo is not enlarged"


def test_a_single_resized_view_equals_the_plain_prediction(network):
    from fullconv.inference.predictor import predict

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = network

        def forward(self, image):
            return self.layer(image / 64)

    plain = predict(Whole(), photo(40, 80), "abcd", size=(20, 60)).score.log_softmax(0)
    found = average_score(scored(network), photo(40, 80), (1.0,), flip=False, size=(20, 60))
    assert torch.allclose(found, plain, atol=1e-6)


def test_the_relative_cost_is_the_number_of_pixels(network):
    seen = []

    def score(image):
        seen.append(image.shape[0] * image.shape[1])
        return scored(network)(image)

    average_score(score, photo(40, 80), (0.5, 1.0, 1.5), flip=True)
    assert sum(seen) == (0.5**2 + 1.0**2 + 1.5**2) * 2 * 40 * 80


@pytest.mark.parametrize("scales", [(), (0.0,), (-1.0,), (float("nan"),), (1.0, 1.0), (100.0,)])
def test_invalid_scales_are_refused(network, scales):
    with pytest.raises(ConfigError, match="expected one or more distinct numbers"):
        average_score(scored(network), photo(), scales)
