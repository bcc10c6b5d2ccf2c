"""Training, prediction and test-time augmentation resize an image to the same size."""

import numpy as np
import pytest

from fullconv.data.sample import Sample
from fullconv.data.transforms import fit
from fullconv.inference import predictor
from fullconv.inference.tta import views
from fullconv.io.images import fit_size


@pytest.mark.parametrize("limit", [(48, 64), (7, 100), (33, 33), None])
def test_training_prediction_and_tta_agree(limit, monkeypatch):
    class Stop(Exception):
        pass

    predicted: list[tuple[int, int]] = []

    def plan(network, size, *args, **kwargs):
        predicted.append(size)
        raise Stop

    monkeypatch.setattr(predictor, "plan", plan)
    random = np.random.default_rng(0)
    for height, width in random.integers(1, 150, (40, 2)).tolist():
        image = np.zeros((height, width, 3), np.uint8)
        training = fit(Sample(image, image[..., 0], "a"), limit).image.shape[:2]
        with pytest.raises(Stop):
            predictor.predict(None, image, ["a"], size=limit)
        augmented = {view.shape[:2] for view, _ in views(image, (1.0,), True, limit)}
        assert {training, predicted.pop()} | augmented == {fit_size((height, width), limit)}
