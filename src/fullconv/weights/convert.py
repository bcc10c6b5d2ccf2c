"""A foreign weights file becomes a file of ours: a whole model where it holds an FCN."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from fullconv.config import Architecture, Normalization
from fullconv.errors import ConfigError, WeightsError
from fullconv.io.atomic import replacing
from fullconv.model import Model
from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD, build
from fullconv.networks.vgg_names import DEPTHS, conv_names
from fullconv.weights.load import Loaded, place
from fullconv.weights.sources import Weights, compact, read_weights
from fullconv.weights.sources.safetensors import NORMALIZATION

VGG_WIDTH = 64  # feature maps of conv1_1, for which `width` is 1


def architecture(arrays: Mapping[str, np.ndarray], padding: int) -> Architecture | None:
    """The network that arrays in the paper's names belong to; None if they are no VGG's FCN.

    Args:
        arrays: as `read_weights` gives them.
        padding: zeros around the image, which no file states; 100 in the paper's networks.
    """
    convolutions = {name[:7] for name in arrays if re.fullmatch(r"conv\d_\d\.weight", name)}
    depths = next((d for d in DEPTHS if set(conv_names(d)) == convolutions), None)
    score, first = arrays.get("score_fr.weight"), arrays.get("conv1_1.weight")
    if depths is None or score is None or first is None or score.ndim != 4:
        return None
    skips = [int(m[1]) for name in arrays if (m := re.fullmatch(r"score_pool(\d)\.weight", name))]
    normed = "_bn" if "bn1_1.weight" in arrays else ""
    return Architecture.checked(
        name=f"fcn{2 ** min(skips, default=5)}s-vgg{sum(depths) + 3}{normed}",
        classes=score.shape[0],
        padding=padding,
        width=first.shape[0] / VGG_WIDTH,
        hidden=score.shape[1],
    )


def convert(
    source: Path,
    target: Path,
    classes: Sequence[str] | None = None,
    padding: int = 100,
    fluid_dropout: bool = False,
) -> Loaded | Weights:
    """Write `source` as a model file, or as plain weights where it holds no VGG's FCN.

    Args:
        source: a weights file of any known kind.
        target: the .safetensors file to write.
        classes: their names; None is "class 0", "class 1", ...
        padding: see `architecture`.
        fluid_dropout: see `load_weights`.

    Returns:
        What was taken into the model, or what the plain weights are.

    Raises:
        WeightsError: the file cannot be used.
        ConfigError: another number of classes than the file has.
        OutputError: `target` cannot be written.
    """
    read = read_weights(source, **({"fluid_dropout": True} if fluid_dropout else {}))
    found = architecture(read.arrays, padding)
    if found is None:
        _write_plain(target, read)
        return read
    names = tuple(classes or (f"class {number}" for number in range(found.classes)))
    if len(names) != found.classes:
        raise ConfigError(
            f"{len(names)} class names for {source}, which has {found.classes} scores a pixel; "
            "give one name a score"
        )
    network = build(found, Normalization(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    done = place(network, read, source)
    if done.missing or done.left_over:
        raise WeightsError(
            f"{source} is no plain {found.name}: {compact(done.missing) or 'nothing'} is missing, "
            f"{compact(done.left_over) or 'nothing'} has no place; load what there is with "
            "fullconv train --weights"
        )
    Model(network, names).save(target)
    return done


def _write_plain(target: Path, read: Weights) -> None:
    header = {"source": read.source}
    if read.mean and read.std:
        said = Normalization(mean=read.mean, std=read.std, order=read.order or "rgb")
        header[NORMALIZATION] = said.model_dump_json()
    tensors = {name: torch.from_numpy(array) for name, array in read.arrays.items()}
    with replacing(target) as temporary:
        save_file(tensors, temporary, header)
