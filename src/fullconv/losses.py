"""What training lowers."""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv.sample import VOID


def cross_entropy(
    score: Float[Tensor, "B K H W"],
    labels: Int64[Tensor, "B H W"],
    weights: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross entropy over the pixels that are not void; 0 where all of them are.

    The authors sum instead (paper, section 4.3): a learning rate for their sum is one for this
    mean divided by the number of valid pixels.

    Args:
        score: before softmax.
        labels: classes, or 255 for void.
        weights: of each class; the mean is then weighted. None is 1 for all, as in the paper.
    """
    valid = labels != VOID
    if weights is None:
        count = valid.sum().clamp(min=1)
    else:
        count = (weights[labels.where(valid, 0)] * valid).sum().clamp(min=1e-12)
    total = F.cross_entropy(score, labels, weights, ignore_index=VOID, reduction="sum")
    return total / count
