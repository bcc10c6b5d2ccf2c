"""timm's classifiers, by timm's names."""

from collections.abc import Iterable

from torch import nn

from fullconv.errors import MissingExtraError
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
        try:
            import timm  # slow to import
        except ImportError as error:
            what = "a network that neither fullconv nor torchvision knows"
            raise MissingExtraError("timm", "timm", what) from error
        found: list[str] = timm.list_models()
        return found

    @staticmethod
    def create(name: str, classes: int) -> nn.Module:
        """One of them, with fresh weights."""
        import timm

        network: nn.Module = timm.create_model(name, num_classes=classes)
        return network
