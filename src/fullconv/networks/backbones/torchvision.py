"""torchvision's classifiers, by torchvision's names."""

from collections.abc import Iterable

from torch import nn

from fullconv.networks.backbones import libraries

# Their builders warn unless they are told, and their auxiliary heads serve training alone.
PLAIN = {"init_weights": False, "aux_logits": False}
OPTIONS = {"googlenet": PLAIN, "inception_v3": PLAIN}


@libraries.register("torchvision")
class Torchvision:
    """torchvision, whose ImageNet weights `--weights imagenet` downloads."""

    @staticmethod
    def names() -> Iterable[str]:
        """The classifiers that it builds."""
        from torchvision import models  # slow to import

        found: list[str] = models.list_models(models)
        return found

    @staticmethod
    def create(name: str, classes: int) -> nn.Module:
        """One of them, with fresh weights."""
        from torchvision import models

        options = OPTIONS.get(name, {})
        network: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
        return network
