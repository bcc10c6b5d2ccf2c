"""Labels are scaled without new values, photos to the size asked for."""

import numpy as np

from fullconv.io import images
from pictures import photo


def test_labels_are_scaled_without_new_values():
    labels = np.random.default_rng(0).choice(np.array([3, 90, 255], np.uint8), (40, 50))
    assert set(np.unique(images.scale_labels(labels, (17, 23)))) <= {3, 90, 255}
    assert images.scale_image(photo(40, 50), (17, 23)).shape == (17, 23, 3)
