"""Windows of a scaled image are those of Pillow's `resize`, to the bit."""

import numpy as np
import pytest

from fullconv.io.images import ScaledImage, scale_image
from fullconv.io.window import Window


@pytest.mark.parametrize(
    "size", [(45, 61), (90, 122), (68, 92), (11, 15), (33, 122), (90, 40), (135, 183), (1, 1)]
)
def test_windows_are_those_of_the_whole_scaled_image(size):
    random = np.random.default_rng(sum(size))
    image = random.integers(0, 256, (90, 122, 3)).astype(np.uint8)
    whole = scale_image(image, size)
    seen = []

    def read(window):
        seen.append(window)
        return image[window.slices]

    scaled = ScaledImage(read, image.shape[:2], size)
    assert np.array_equal(scaled(Window(0, 0, *size)), whole)
    for _ in range(20):
        top, left = (int(random.integers(side)) for side in size)
        window = Window(
            top,
            left,
            int(random.integers(1, size[0] - top + 1)),
            int(random.integers(1, size[1] - left + 1)),
        )
        assert np.array_equal(scaled(window), whole[window.slices])
    assert all(0 <= w.top < w.bottom <= 90 and 0 <= w.left < w.right <= 122 for w in seen)


def test_many_sizes_equal_pillow():
    random = np.random.default_rng(0)
    for _ in range(60):
        height, width, *size = (int(side) for side in random.integers(1, 400, 4))
        image = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
        scaled = ScaledImage(
            lambda window, image=image: image[window.slices], (height, width), tuple(size)
        )
        assert np.array_equal(scaled(Window(0, 0, *size)), scale_image(image, tuple(size)))
