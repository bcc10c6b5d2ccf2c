"""Cross entropy: the mean over the pixels, or their sum as in the paper."""

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term, Truth, cross_entropy


@losses.register("cross-entropy")
class CrossEntropy(Term):
    """The mean: its learning rate suits every image size."""

    smooths = True

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The function of that name."""
        return cross_entropy(score, truth.labels, truth.weights, truth.smoothing)

    def describe(self) -> str:
        """The loss in a few words."""
        return "mean cross entropy"


@losses.register("cross-entropy-sum")
class SummedCrossEntropy(Term):
    """The sum over an image's pixels (paper, section 4.3), and the mean over the batch's images.

    That is what Caffe's SoftmaxWithLoss gives with `normalize: false`. The learning rates that go
    with it are tiny, e.g. 1e-10 for FCN-32s.
    """

    smooths = True

    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The sum over the pixels that are not void, over the number of images."""
        return truth.entropy(score, "sum") / len(score)

    def amount(self, truth: Truth) -> Tensor:
        """The images."""
        return torch.tensor(float(len(truth.labels)), device=truth.labels.device)

    def describe(self) -> str:
        """The loss in a few words."""
        return "cross entropy summed over each image's pixels"
