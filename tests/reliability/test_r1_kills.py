"""SIGKILL at random moments: the paper's three stages end in the same bytes."""

import pytest

from children import KILLING, result_of

STAGED = ("--recipe", "paper-staged", "--model", "fcn8s-vgg11", "--padding", "same")
STAGED += ("--epochs", "2", "--lr", "1e-3", "--set", "ema=0.9")


@pytest.mark.slow
def test_kills_in_three_stages_do_not_change_the_result(tmp_path):
    found = result_of(KILLING, tmp_path, 8, "0", *STAGED)
    assert found == {"kills": 8, "survived": 8, "different": []}
