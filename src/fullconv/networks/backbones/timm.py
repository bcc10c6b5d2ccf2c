"""timm's classifiers, by timm's names."""

from collections.abc import Iterable

from torch import nn

from fullconv.errors import require
from fullconv.networks.backbones import libraries


@libraries.register("timm")
class Timm:
    """timm, the optional package of about a thousand image classifiers."""

    @staticmethod
    def names() -> Iterable[str]:
        """The classifiers that it builds.

        Raises:
            MissingExtraError: timm is not installed.
        """
        what = "a network that is neither fullconv's nor torchvision's"
        timm = require("timm", extra="timm", what=what)
        found: list[str] = timm.list_models()
        return found

    @staticmethod
    def create(name: str, classes: int) -> nn.Module:
        """One of them, with fresh weights."""
        import timm

        network: nn.Module = timm.create_model(name, num_classes=classes)
        return network
