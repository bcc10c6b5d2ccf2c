"""Labels from scores: PyTorch's argmax is the oracle."""

import pytest
import torch

from fullconv.errors import WeightsError
from fullconv.inference.score_labels import BLOCK, score_labels


@pytest.mark.parametrize("classes", [1, 2, 11, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (70, 33), (2, BLOCK + 5)])
def test_labels_are_the_largest_score_and_the_first_of_equals(classes, size):
    size = size if classes < 255 else (7, 9)
    score = torch.randint(-3, 4, (classes, *size)).float()  # many ties
    assert (score_labels(score) == score.argmax(0).numpy()).all()


def test_any_layout_and_infinities_give_the_same_labels():
    score = torch.randn(5, 40, 30)
    score[1, :3], score[2, 2:5] = torch.inf, -torch.inf
    layouts = score, score.permute(1, 2, 0).contiguous().permute(2, 0, 1), score[:, ::2]
    for layout in layouts:
        assert (score_labels(layout) == layout.argmax(0).numpy()).all()


@pytest.mark.parametrize("k", [0, 4])
def test_a_score_that_is_no_number_is_refused(k):
    score = torch.zeros(5, 300, 200)
    score[k, 299, 199] = torch.nan
    with pytest.raises(WeightsError, match="not numbers"):
        score_labels(score)
