"""Convert weights files of other frameworks to model files, or to plain safetensors."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from fullconv.config import Architecture, Head, Normalization
from fullconv.data.formats import siftflow
from fullconv.errors import ConfigError, WeightsError
from fullconv.io.atomic import replacing, staging
from fullconv.io.palettes import voc_palette
from fullconv.model import Model
from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD, build
from fullconv.networks.vgg_names import DEPTHS, conv_names
from fullconv.units import count
from fullconv.weights._channels import STREAM
from fullconv.weights.load import LoadReport, copy_weights
from fullconv.weights.sources import Weights, format_names, read_weights
from fullconv.weights.sources.safetensors import NORMALIZATION

PADDING = 100  # pixels: of the paper's networks
VGG_WIDTH = 64  # feature maps of conv1_1 at width 1


def convert_weights(
    source: Path,
    target: Path,
    classes: Sequence[str] | None = None,
    padding: int | None = None,
    fluid_dropout: bool = False,
    normalization: Normalization | None = None,
) -> LoadReport | Weights:
    """Write `source` as a model file, or as plain weights if it is not an FCN on VGG.

    Args:
        source: a weights file of any supported format.
        target: the .safetensors file to write.
        classes: class names; None for "class 0", "class 1", ...
        padding: see `infer_architecture`; None is the paper's, 100.
        fluid_dropout: see `load_weights`.
        normalization: of the images; None is what the file says, or is known for its weights.

    Returns:
        The report of loading the model, or the plain weights.

    Raises:
        WeightsError: the file cannot be used.
        ConfigError: the number of class names is not that of the scores; or the weights are no FCN,
            and class names or a padding are given.
        OutputError: `target` cannot be written.
    """
    weights = read_weights(source, **({"fluid_dropout": True} if fluid_dropout else {}))
    zeros = PADDING if padding is None else padding
    architecture = infer_architecture(weights.arrays, zeros, weights.streams)
    if architecture is None:
        if padding is not None:
            raise ConfigError(
                f"{source} is no FCN on VGG, so it is written as plain weights, which have no "
                "padding; leave it out, and give it to the training"
            )
        if classes:
            raise ConfigError(
                f"{source} is no FCN on VGG, so it is written as plain weights, which have no "
                "class names; leave out the class names"
            )
        if normalization:
            found = normalization
            weights = replace(weights, mean=found.mean, std=found.std, order=found.order)
        _write_plain(target, weights)
        return weights
    if weights.heads and classes:
        raise ConfigError(f"{source} has {len(weights.heads)} heads; leave out the class names")
    heads = _heads(weights.heads)
    first = next(iter(weights.heads.values()), architecture.classes)
    default = heads[0].classes if heads else (f"class {number}" for number in range(first))
    names = tuple(classes or default)
    if not heads and len(names) != architecture.classes:
        raise ConfigError(
            f"{count(len(names), 'class name')} for {source}, which has "
            f"{count(architecture.classes, 'score')} a pixel; give one name per score"
        )
    if normalization and len(normalization.mean) != architecture.channels:
        raise ConfigError(
            f"a mean of {len(normalization.mean)} channels for {source}, which takes "
            f"{architecture.channels}; give one number for each channel"
        )
    network = build(architecture, Normalization(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    report = copy_weights(network, weights, source)
    if report.missing or report.left_over:
        raise WeightsError(
            f"{source} is not exactly a {architecture.name}: missing "
            f"{format_names(report.missing) or 'nothing'}, unknown "
            f"{format_names(report.left_over) or 'nothing'}; load what fits with "
            "fullconv train --weights"
        )
    if normalization:
        network.normalization = normalization
    Model(network, names, inputs=weights.inputs, heads=heads).save(target)
    return report


def _heads(counts: Mapping[str, int]) -> tuple[Head, ...]:
    """Return the heads of a file: with the classes of SIFT Flow if it has as many."""
    heads = []
    for name, count_of in counts.items():
        known = next((head.classes for head in siftflow.HEADS if head.name == name), ())
        classes = known if len(known) == count_of else tuple(f"class {n}" for n in range(count_of))
        heads.append(Head(name=name, classes=classes, palette=voc_palette(count_of)))
    return tuple(heads)


def infer_architecture(
    arrays: Mapping[str, np.ndarray], padding: int, streams: tuple[int, ...] | None = None
) -> Architecture | None:
    """Return the architecture of an FCN on VGG from its arrays; None for any other network.

    Args:
        arrays: as `read_weights` gives them, in the paper's names.
        padding: zeros around the image, which no file states; 100 in the paper's networks.
        streams: channels of each of several backbones; None for one.
    """
    scores = arrays.get("score_fr.weight")
    if streams:
        first = f"{STREAM}0."
        arrays = {name.removeprefix(first): array for name, array in arrays.items()}
    convolutions = {name[:7] for name in arrays if re.fullmatch(r"conv\d_\d\.weight", name)}
    depths = next((d for d in DEPTHS if set(conv_names(d)) == convolutions), None)
    filters = arrays.get("conv1_1.weight")
    if depths is None or scores is None or filters is None:
        return None
    if scores.ndim != 4 or filters.ndim != 4:
        return None
    skips = [int(m[1]) for name in arrays if (m := re.fullmatch(r"score_pool(\d)\.weight", name))]
    batch_norm = "_bn" if "bn1_1.weight" in arrays else ""
    return Architecture.checked(
        name=f"fcn{2 ** min(skips, default=5)}s-vgg{sum(depths) + 3}{batch_norm}",
        classes=scores.shape[0],
        padding=padding,
        width=filters.shape[0] / VGG_WIDTH,
        hidden=scores.shape[1] // len(streams or (1,)),
        channels=sum(streams) if streams else filters.shape[1],
        streams=streams,
    )


def _write_plain(target: Path, weights: Weights) -> None:
    header = {"source": weights.source}
    if weights.mean and weights.std:
        normalization = Normalization(
            mean=weights.mean, std=weights.std, order=weights.order or "rgb"
        )
        header[NORMALIZATION] = normalization.model_dump_json()
    tensors = {name: torch.from_numpy(array) for name, array in weights.arrays.items()}
    # safetensors writes a temporary file of its own, which a kill leaves.
    with replacing(target) as temporary, staging(target) as folder:
        save_file(tensors, folder / "weights", header)
        os.replace(folder / "weights", temporary)
