"""An overlay is a JPEG, whatever the photo's size."""

import io

import numpy as np
import pytest
from PIL import Image

from fullconv.batch.writers.overlay import MAX_SIDE, encode
from fullconv.inference.prediction import Prediction


@pytest.mark.parametrize("side", [MAX_SIDE - 100, MAX_SIDE + 100])
def test_a_long_photo_is_scaled_to_what_a_jpeg_holds(side):
    score = np.zeros((1, 9, side), np.float32)
    prediction = Prediction(np.full((9, side, 3), 90, np.uint8), score, ("a",), ((9, 9, 9),))
    with Image.open(io.BytesIO(encode(prediction))) as picture:
        assert max(picture.size) == min(side, MAX_SIDE)
