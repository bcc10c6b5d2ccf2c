"""The device that a name means here."""

import torch

from fullconv.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device that "auto", "cpu", "cuda", "cuda:1" or "mps" means.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no usable GPU was found here; say --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: this is no Apple machine with Metal; say --device cpu")
    return torch.device(name)
