"""Labels are scaled without new values, photos to the requested size."""

import numpy as np
import pytest

from exif_photos import photo
from fullconv.io import images


def test_labels_are_scaled_without_new_values():
    labels = np.random.default_rng(0).choice(np.array([3, 90, 255], np.uint8), (40, 50))
    assert set(np.unique(images.scale_labels(labels, (17, 23)))) <= {3, 90, 255}
    assert images.scale_image(photo(40, 50), (17, 23)).shape == (17, 23, 3)


@pytest.mark.parametrize(
    ("size", "limit", "factor", "expected"),
    [
        ((480, 640), (512, 512), 1.0, (384, 512)),
        ((480, 640), (240, 640), 1.0, (240, 320)),
        ((20, 30), (100, 100), 1.0, (20, 30)),
        ((20, 30), None, 1.5, (30, 45)),
        ((480, 640), (240, 640), 0.5, (120, 160)),
        ((1, 4000), (50, 50), 1.0, (1, 50)),
        ((480, 640, 3), (240, 320), 1.0, (240, 320)),
    ],
)
def test_fit_size(size, limit, factor, expected):
    assert images.fit_size(size, limit, factor) == expected
