"""Classifiers are built by name; what is no number of classes or no option is refused."""

import pytest

from fullconv.errors import ConfigError
from fullconv.networks.backbones import create_classifier

REFUSED = {
    "classes is 0: expected 1 or more": {"classes": 0},
    "classes is .'a'.: expected a whole number": {"classes": ["a"]},
    "width is 0: expected a number greater than 0": {"width": 0},
    "width is -1: expected a number greater than 0": {"width": -1},
    "hidden is 0: expected 1 or more": {"hidden": 0},
    "vgg11 has no option 'widht'; it has .*hidden.*width": {"widht": 0.5},
    "name is None: expected a text": {"name": None},
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_wrong_argument_is_refused_in_a_sentence(message):
    with pytest.raises(ConfigError, match=message):
        create_classifier(**{"name": "vgg11", "classes": 3} | REFUSED[message])


def test_an_option_changes_the_classifier():
    classifier = create_classifier("alexnet", 3, width=1 / 16, hidden=5, groups=1)
    assert classifier.fc7.out_features == 5 and classifier.conv2.groups == 1
