"""A model becomes a file for other runtimes, which counts only with proof of its answers."""

import copy
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from torch import nn

from fullconv._version import __version__
from fullconv.config import Size
from fullconv.export.exporters import Exporter, exporter_for
from fullconv.export.parity import check_parity, least_size
from fullconv.inference.runtimes import runtime_for
from fullconv.inference.runtimes.description import Description
from fullconv.io.atomic import replacing
from fullconv.io.images import fit_size, scale_image
from fullconv.model import Model
from fullconv.networks.fcn import FCN


def export(
    model: Model,
    path: Path,
    photos: Sequence[UInt8[ndarray, "_ _ 3"]],
    size: Size | None = None,
) -> Description:
    """Write a model for another runtime, and compare the file's answers with the model's.

    Args:
        model: anything that `create_model` builds.
        path: ends in .onnx, .pt2 or .xml; an existing file is replaced.
        photos: to compare on, at three odd sizes at least.
        size: (height, width) of all images that the file will answer, as the network is given
            them, which spares most of the work on a padding of 100; None is any size.

    Returns:
        What stands in the file.

    Raises:
        ExportError: the scores differ by more than rounding, or the network cannot be exported;
            nothing stands under `path` that did not before.
        ConfigError: no such suffix.
        MissingExtraError: a package is not installed.
        OutputError: the disk is full, or the folder cannot be written.
    """
    exporter, network = exporter_for(path), on_cpu(model)
    with placing(path, exporter) as temporary:
        description = write_proved(model, network, exporter, temporary, photos, size)
        exporter.stamp(temporary, description.model_dump_json())
    return description


def write_proved(
    model: Model,
    network: nn.Module,
    exporter: Exporter,
    path: Path,
    photos: Sequence[UInt8[ndarray, "_ _ 3"]],
    size: Size | None = None,
) -> Description:
    """Write the file, without its description, and describe what was found."""
    exporter.write(network, path, size)
    run = runtime_for(path).open(path).run
    least = least_size(network, run) if size is None else (1, 1)
    parity = check_parity(network, run, [working(photo, model.size) for photo in photos], size)
    return describe(model, least=least, fixed=size, parity=parity)


def describe(model: Model, **facts: Any) -> Description:
    """What stands in an exported file."""
    return Description.checked(
        fullconv=__version__,
        classes=model.classes,
        palette=model.palette,
        size=model.size,
        tta_scales=model.tta_scales,
        band_choice=model.band_choice,
        protocol=model.protocol,
        architecture=model.network.architecture,
        normalization=model.network.normalization,
        **facts,
    )


def on_cpu(model: Model) -> FCN:
    """The model's network, ready to answer on the processor; the model stays where it is."""
    network = model.network.eval()
    on_device = next(network.parameters()).device.type != "cpu"
    return copy.deepcopy(network).cpu() if on_device else network


def working(
    photo: UInt8[ndarray, "H W 3"], size: tuple[int, int] | None
) -> UInt8[ndarray, "rows columns 3"]:
    """A photo as the model's network is given it: scaled down to fit into `size`."""
    return scale_image(photo, fit_size(photo.shape, size))


@contextmanager
def placing(path: Path, exporter: Exporter) -> Iterator[Path]:
    """Give a path to write to, in a folder of its own; what is there in the end is moved here.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    with replacing(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            inside = Path(folder) / path.name
            yield inside
            if exporter.companions:
                path.unlink(missing_ok=True)  # an old graph must never meet new weights
            for suffix in exporter.companions:
                with replacing(path.with_suffix(suffix)) as companion:
                    os.replace(inside.with_suffix(suffix), companion)
            os.replace(inside, temporary)
