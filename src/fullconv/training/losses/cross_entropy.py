"""Cross entropy: the mean over the pixels, or their sum as in the paper."""

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.training.losses import losses
from fullconv.training.losses._base import Term
from fullconv.training.target import Target, cross_entropy


@losses.register("cross-entropy")
class CrossEntropy(Term):
    """The mean over pixels, whose learning rate does not depend on the image size."""

    takes_smoothing = True

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the mean cross entropy."""
        return cross_entropy(score, target.labels, target.weights, target.smoothing)

    def describe(self) -> str:
        """Return the loss in a few words."""
        return "mean cross entropy"


@losses.register("cross-entropy-sum")
class SummedCrossEntropy(Term):
    """The sum over an image's pixels (PAMI paper, section 4.2), and the mean over the images.

    Equals Caffe's SoftmaxWithLoss with `normalize: false`. Its learning rates are tiny, e.g. 1e-10
    for FCN-32s.
    """

    takes_smoothing = True
    is_sum = True

    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the sum over pixels, divided by the number of images."""
        return target.cross_entropy(score, "sum") / len(score)

    def normalizer(self, target: Target) -> Tensor:
        """Return the number of images."""
        return torch.tensor(float(len(target.labels)), device=target.labels.device)

    def describe(self) -> str:
        """Return the loss in a few words."""
        return "cross entropy summed over each image's pixels"
