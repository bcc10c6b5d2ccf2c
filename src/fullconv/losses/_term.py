"""What every kind of loss can do."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from fullconv.config import Settings
from fullconv.losses._pixels import Truth


class Term(Settings, ABC):
    """One kind of loss; its fields are what can be set in parentheses after its name.

    Attributes:
        weighs: whether it takes class weights.
        smooths: whether it takes smoothed labels.
    """

    weighs: ClassVar[bool] = True
    smooths: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, score: Float[Tensor, "B K H W"], truth: Truth) -> Float[Tensor, ""]:
        """The loss; 0 where all is void, and its gradient too."""

    @abstractmethod
    def describe(self) -> str:
        """The loss in a few words."""

    def amount(self, truth: Truth) -> Tensor:
        """What it averages over: the weights of the pixels that are not void."""
        return truth.weight().sum()
