"""The interface of a loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from fullconv.config import Settings
from fullconv.training.target import Target


class Term(Settings, ABC):
    """One kind of loss; its fields can be set in parentheses after its name.

    Attributes:
        takes_weights: whether it uses class weights.
        takes_smoothing: whether it uses label smoothing.
        is_sum: whether it is a sum over pixels; others are means, or shares of a whole.
    """

    takes_weights: ClassVar[bool] = True
    takes_smoothing: ClassVar[bool] = False
    is_sum: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, score: Float[Tensor, "B K H W"], target: Target) -> Float[Tensor, ""]:
        """Compute the loss; it and its gradient are 0 if all pixels are ignored."""

    @abstractmethod
    def describe(self) -> str:
        """Return the loss in a few words."""

    def normalizer(self, target: Target) -> Tensor:
        """Return what the loss averages over: the total weight of the pixels."""
        return target.pixel_weights().sum()
