"""Training, prediction and test-time augmentation resize an image to the same size."""

import numpy as np
import pytest
import torch

from fullconv.data.sample import Sample
from fullconv.data.transforms import fit
from fullconv.inference.predictor import predict
from fullconv.inference.tta import views
from fullconv.io.images import fit_size


class Recorder(torch.nn.Module):
    """Returns one score per pixel and keeps the size of its last input."""

    def __init__(self):
        super().__init__()
        self.score = torch.nn.Conv2d(3, 1, 1)

    def forward(self, image):
        self.size = tuple(image.shape[-2:])
        return self.score(image)


@pytest.mark.parametrize("factor", [1.0, 0.35, 1.5])
@pytest.mark.parametrize("limit", [(48, 64), (7, 100), (33, 33), None])
def test_training_prediction_and_tta_agree(limit, factor):
    network = Recorder().eval()
    for height, width in np.random.default_rng(0).integers(1, 150, (20, 2)).tolist():
        image = np.zeros((height, width, 3), np.uint8)
        training = fit(Sample(image, image[..., 0], "a"), limit, factor).image.shape[:2]
        predict(network, image, ["a"], size=limit, input_scale=factor)
        augmented = {view.shape[:2] for view, _ in views(image, (factor,), True, limit)}
        assert {training, network.size} | augmented == {fit_size((height, width), limit, factor)}
