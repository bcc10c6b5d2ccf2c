"""Losses as text: parsing, descriptions and error messages."""

import pytest
import torch

from fullconv.errors import ConfigError
from fullconv.training.losses import losses, make_loss

SCORE = torch.randn(1, 3, 4, 4, dtype=torch.float64)
LABELS = torch.randint(0, 3, (1, 4, 4))


def test_registered_losses():
    assert [*losses] == ["cross-entropy", "cross-entropy-sum", "dice", "focal", "lovasz", "ohem"]


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("cross-entropy+dice", {"cross-entropy": 1, "dice": 1}),
        ("cross-entropy+0.5*lovasz", {"cross-entropy": 1, "lovasz": 0.5}),
        (" 2 * focal( gamma = 1 ) + 1e-3*dice ", {"focal(gamma=1)": 2, "dice": 1e-3}),
        (".5*ohem+ohem", {"ohem": 1.5}),
    ],
)
def test_a_sum_is_the_sum_of_its_terms(spec, parts):
    total = sum(factor * make_loss(name)(SCORE, LABELS) for name, factor in parts.items())
    assert torch.isclose(make_loss(spec)(SCORE, LABELS), total)


def test_weights_reach_only_the_terms_over_pixels():
    weights = torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64)
    total = make_loss("focal", weights)(SCORE, LABELS) + make_loss("dice")(SCORE, LABELS)
    assert torch.isclose(make_loss("focal+dice", weights)(SCORE, LABELS), total)


DESCRIPTIONS = {
    "cross-entropy": "mean cross entropy",
    "cross-entropy-sum": "cross entropy summed over each image's pixels",
    "cross-entropy+0.5*lovasz": "mean cross entropy + 0.5 x Lovász-softmax",
    "focal(gamma=1)+2*dice": "focal loss (gamma 1) + 2 x Dice loss",
    "ohem": "cross entropy of the hard pixels (true class below 70 %, at least 6.25 % of the "
    "pixels)",
}


@pytest.mark.parametrize("spec", DESCRIPTIONS)
def test_describe(spec):
    assert make_loss(spec).describe() == DESCRIPTIONS[spec]


def test_describe_names_class_weights_and_label_smoothing():
    text = make_loss("cross-entropy+dice", torch.ones(3), 0.1).describe()
    assert text == "mean cross entropy + Dice loss; with class weights; label smoothing 0.1"


KNOWN = "cross-entropy, cross-entropy-sum, dice, focal, lovasz, ohem"
WRONG = {
    "cross-entropy+dise": f"unknown loss 'dise'; expected {KNOWN}; did you mean dice",
    "": f"expected names joined as in .*, not ''; the names are {KNOWN}",
    "dice+": f"expected names joined as in .*, not ''; the names are {KNOWN}",
    "dice dice": "not 'dice dice'",
    "-1*dice": "not '-1.dice'",
    "0*dice": "a factor must be a number above 0, not 0",
    "nan*dice": "not 'nan.dice'",
    "9e999*dice": "not '9e999.dice'|above 0, not inf",
    "focal(gamma=-1)": "loss is 'focal.gamma=-1.': gamma is '-1': expected 0 or more",
    "focal(gamma=nan)": "gamma is 'nan'",
    "focal(gamma=much)": "gamma is 'much'",
    "focal(gama=1)": r"expected settings as in focal\(gamma=2\), not 'gama=1'",
    "focal(1)": r"expected settings as in focal\(gamma=2\), not '1'",
    "ohem(share=0)": "share is '0'",
    "dice(x=1)": "dice has no settings; expected 'dice' alone",
}


@pytest.mark.parametrize("spec", WRONG)
def test_an_invalid_loss_is_rejected(spec):
    with pytest.raises(ConfigError, match=WRONG[spec]):
        make_loss(spec)


def test_unused_weights_or_smoothing_are_rejected():
    with pytest.raises(ConfigError, match=r"'dice\+lovasz'.*takes no class weights"):
        make_loss("dice+lovasz", torch.ones(3))
    with pytest.raises(ConfigError, match=r"label_smoothing is 0.1.*'focal'.*cross-entropy, cross"):
        make_loss("focal", smoothing=0.1)
