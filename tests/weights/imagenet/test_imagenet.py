import pytest

from fullconv.errors import WeightsError
from fullconv.weights.imagenet import imagenet_weights


def test_for_an_unknown_backbone_some_with_weights_are_named():
    with pytest.raises(WeightsError, match=r"'vgg17'.*efficientnet_lite2.*vgg16"):
        imagenet_weights("vgg17")
