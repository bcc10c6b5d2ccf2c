"""SIGKILL at random moments: all three stages of the paper's training end in the same bytes."""

import pytest

from children import KILLING, told_by

STAGED = ("--recipe", "paper-staged", "--model", "fcn8s-vgg11", "--padding", "same")
STAGED += ("--epochs", "2", "--lr", "1e-3", "--set", "ema=0.9")


@pytest.mark.slow
def test_eight_kills_in_three_stages_change_no_byte(tmp_path):
    found = told_by(KILLING, tmp_path, 8, "0", *STAGED)
    assert found == {"kills": 8, "survived": 8, "different": []}
