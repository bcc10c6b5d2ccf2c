"""What the explanations of a trained model on a photo share."""

from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from fullconv.model import Model

LIMIT = 1024  # pixels; larger photos are scaled down to this longer side


def load_network(path: str) -> "Model":
    """Load a model whose layers can be looked at.

    Raises:
        ConfigError: it is an exported file, which only predicts.
    """
    from fullconv.model import load

    model = load(path)
    if model.exported is not None:
        raise ConfigError(
            f"{path} is an exported file, whose layers cannot be looked at; expected a run folder "
            "or a .safetensors file"
        )
    model.check_photos("fullconv explain")
    model.network.eval()
    return model


def read_photo(path: Path, model: "Model | None") -> "tuple[np.ndarray, Tensor]":
    """Return a photo at the size that the model works at, as an array and as (1, 3, H, W)."""
    import torch

    from fullconv.io.images import fit_size, read_image, scale_image

    image = read_image(path)
    size = fit_size(image.shape, model.size, model.input_scale) if model else image.shape[:2]
    size = fit_size(size, (LIMIT, LIMIT))
    image = scale_image(image, size)
    return image, torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
