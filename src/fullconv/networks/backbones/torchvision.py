"""torchvision's classifiers, under torchvision's names."""

from collections.abc import Iterable

from torch import nn

from fullconv.networks.backbones import libraries

# Without these arguments the builders warn; the auxiliary heads are for training only.
PLAIN = {"init_weights": False, "aux_logits": False}
OPTIONS = {"googlenet": PLAIN, "inception_v3": PLAIN}


@libraries.register("torchvision")
class Torchvision:
    """torchvision; `--weights imagenet` downloads its ImageNet weights."""

    @staticmethod
    def names() -> Iterable[str]:
        """Return the names of its classifiers."""
        from torchvision import models  # slow to import

        names: list[str] = models.list_models(models)
        return names

    @staticmethod
    def create(name: str, classes: int) -> nn.Module:
        """Build one of them with random weights."""
        from torchvision import models

        options = OPTIONS.get(name, {})
        network: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
        return network
