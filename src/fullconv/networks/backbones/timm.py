"""timm's classifiers, under timm's names."""

from collections.abc import Iterable

from torch import nn

from fullconv.networks.backbones import libraries


@libraries.register("timm")
class Timm:
    """timm, with about a thousand image classifiers."""

    @staticmethod
    def names() -> Iterable[str]:
        """Return the names of its classifiers."""
        import timm  # slow to import

        names: list[str] = timm.list_models()
        return names

    @staticmethod
    def create(name: str, classes: int) -> nn.Module:
        """Build one of them with random weights."""
        import timm

        network: nn.Module = timm.create_model(name, num_classes=classes)
        return network
