"""What training lowers."""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv.sample import VOID


def cross_entropy(
    score: Float[Tensor, "B K H W"], labels: Int64[Tensor, "B H W"]
) -> Float[Tensor, ""]:
    """Mean cross entropy over the pixels that are not void; 0 where all of them are.

    The authors sum instead (paper, section 4.3): a learning rate for their sum is one for this
    mean divided by the number of valid pixels.
    """
    valid = (labels != VOID).sum().clamp(min=1)
    return F.cross_entropy(score, labels, ignore_index=VOID, reduction="sum") / valid
