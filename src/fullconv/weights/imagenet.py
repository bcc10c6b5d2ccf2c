"""Download ImageNet weights from torchvision's list, over https, checked by their hash."""

from pathlib import Path
from urllib.error import URLError

import torch

from fullconv.errors import WeightsError

IMAGENET = "imagenet"
"""Value of `--weights` that stands for ImageNet weights instead of a file."""


def imagenet_weights(backbone: str) -> Path:
    """Return the file of a backbone's ImageNet weights, downloaded once into torch's cache.

    For VGG-16 these are the Caffe model's convolutions, which the paper's networks start from.

    Raises:
        WeightsError: torchvision has none for this backbone, or the download fails.
    """
    from torchvision import models  # slow to import

    backbone = backbone.removeprefix("torchvision_")  # as `create_classifier` takes it
    known = models.list_models(models)
    if backbone not in known:
        raise WeightsError(
            f"torchvision has no ImageNet weights for {backbone!r}; give a file to --weights "
            f"or use one of: {', '.join(known)}"
        )
    choices = models.get_model_weights(backbone)
    names = choices.__members__
    chosen = names.get("IMAGENET1K_FEATURES") or names.get("IMAGENET1K_V1") or choices.DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(chosen.url).name
    if not file.is_file():
        _download(chosen.url, file)
    return file


def _download(url: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    digest = file.stem.rpartition("-")[2]  # file names end in the hash's beginning
    try:
        torch.hub.download_url_to_file(url, str(file), digest, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{url} could not be downloaded ({error}); download it elsewhere, then put it at "
            f"{file} or give its path to --weights"
        ) from error
