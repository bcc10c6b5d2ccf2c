"""ImageNet weights of timm's classifiers, from Hugging Face and its cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.errors import WeightsError
from fullconv.io.downloads import offline
from fullconv.networks.vgg_names import ChannelValues
from fullconv.weights.imagenet import origins

SAFETENSORS = "model.safetensors"


@dataclass(frozen=True)
class TimmWeights:
    """A file of timm's on Hugging Face; see `Published`.

    Attributes:
        repository: there, e.g. "timm/resnet18.a1_in1k".
        filename: in the repository.
    """

    repository: str
    filename: str
    mean: ChannelValues | None
    std: ChannelValues | None
    origin: str = "huggingface.co"

    @property
    def name(self) -> str:
        """Repository and name of the file."""
        return f"{self.repository}/{self.filename}"

    def file(self) -> Path | None:
        """Return the file in Hugging Face's cache, or None."""
        import huggingface_hub

        path = huggingface_hub.try_to_load_from_cache(self.repository, self.filename)
        return Path(path) if isinstance(path, str) else None

    def megabytes(self) -> float:
        """Return the size of the download in MB.

        Raises:
            WeightsError: the server cannot be reached.
        """
        import huggingface_hub as hub

        with _explained(self):
            url = hub.hf_hub_url(self.repository, self.filename)
            return (hub.get_hf_file_metadata(url, timeout=10).size or 0) / 1e6

    def download(self) -> Path:
        """Download the file into Hugging Face's cache and return it.

        Raises:
            WeightsError: the download failed.
        """
        import huggingface_hub

        with _explained(self):
            return Path(huggingface_hub.hf_hub_download(self.repository, self.filename))


@origins.register("timm")
class Timm:
    """The weights that timm lists as its default ones for each of its classifiers."""

    @staticmethod
    def find(backbone: str) -> TimmWeights | None:
        """Return the weights of a backbone, or None."""
        from timm.models import get_pretrained_cfg

        config: Any = get_pretrained_cfg(backbone.removeprefix("timm_"), allow_unregistered=True)
        if config is None or not config.hf_hub_id:
            return None
        mean, std = ((255 * x, 255 * y, 255 * z) for x, y, z in (config.mean, config.std))
        return TimmWeights(config.hf_hub_id, config.hf_hub_filename or SAFETENSORS, mean, std)


@contextmanager
def _explained(weights: TimmWeights) -> Iterator[None]:
    """Turn the errors of a download into a `WeightsError`."""
    try:
        if offline():
            raise OSError("HF_HUB_OFFLINE forbids downloads")
        yield
    except Exception as error:  # also those of the HTTP library that Hugging Face happens to use
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"https://huggingface.co/{weights.name} could not be downloaded ({reason}); "
            "download it elsewhere and give its path to --weights"
        ) from error
