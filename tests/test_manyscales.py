"""One answer out of several, of a model that fits photos into a size."""

import copy

import numpy as np
import pytest
import torch

from fullconv.export.exported import open_model
from fullconv.io.images import scale_image
from fullconv.model import averaged_answer
from photos import write_model


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def test_scales_count_from_the_size_that_photos_are_fitted_into(path):
    model = copy.copy(open_model(path))
    model.size = (24, 32)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    model.network.eval()
    by_hand = []
    for size in ((12, 16), (24, 32)):
        view = torch.from_numpy(scale_image(image, size)).permute(2, 0, 1)[None].float()
        for mirrored in (False, True):
            with torch.inference_mode():
                score = model.network(view.flip(-1) if mirrored else view)
            score = score.flip(-1) if mirrored else score
            whole = torch.nn.functional.interpolate(score, (48, 64), mode="bilinear")
            by_hand.append(whole[0].double().softmax(0))
    found = averaged_answer(model, image, (0.5, 1.0)).probabilities
    np.testing.assert_allclose(found, torch.stack(by_hand).mean(0).numpy(), atol=1e-5)
