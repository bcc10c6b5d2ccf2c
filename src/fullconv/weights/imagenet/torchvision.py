"""ImageNet weights from torchvision's list, over https, checked by their hash."""

from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import torch

from fullconv.errors import WeightsError
from fullconv.io.downloads import offline
from fullconv.networks.vgg_names import ChannelValues
from fullconv.weights.imagenet import origins


@dataclass(frozen=True)
class TorchvisionWeights:
    """A file that torchvision lists; see `Published`.

    Attributes:
        url: of the file; its name ends in the beginning of its SHA-256.
        size: in MB.
    """

    url: str
    size: float
    # The network's default; VGG-16's file from Caffe is recognized when it is read.
    mean: ChannelValues | None = None
    std: ChannelValues | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.url).name

    @property
    def origin(self) -> str:
        """Name of the server."""
        return urlsplit(self.url).netloc

    @property
    def cached(self) -> Path:
        """Path of the file in torch's cache."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.name

    def file(self) -> Path | None:
        """Return the file in torch's cache, or None."""
        return self.cached if self.cached.is_file() else None

    def megabytes(self) -> float:
        """Return the size of the download in MB."""
        return self.size

    def download(self) -> Path:
        """Download the file into torch's cache and return it.

        Raises:
            WeightsError: the download failed.
        """
        file = self.cached
        try:
            if offline():
                raise OSError("HF_HUB_OFFLINE forbids downloads")
            file.parent.mkdir(parents=True, exist_ok=True)
            digest = file.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(self.url, str(file), digest, progress=False)
        except (URLError, OSError, RuntimeError) as error:
            raise WeightsError(
                f"{self.url} could not be downloaded ({error}); download it elsewhere, then put "
                f"it at {file} or give its path to --weights"
            ) from error
        return file


@origins.register("torchvision")
class Torchvision:
    """The weights that torchvision lists, also for our own VGGs."""

    @staticmethod
    def find(backbone: str) -> TorchvisionWeights | None:
        """Return the weights of a backbone, or None."""
        from torchvision import models  # slow to import

        if backbone == "alexnet":  # ours is Caffe's, torchvision's has other layers
            return None
        name = backbone.removeprefix("torchvision_")
        if name not in models.list_models(models):
            return None
        choices = models.get_model_weights(name)
        names = choices.__members__
        chosen = names.get("IMAGENET1K_FEATURES") or names.get("IMAGENET1K_V1") or choices.DEFAULT
        return TorchvisionWeights(chosen.url, float(chosen.meta["_file_size"]))
