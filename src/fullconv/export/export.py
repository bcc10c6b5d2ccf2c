"""Export a model for another runtime, and compare its scores before the file is kept."""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from torch import nn

from fullconv._version import __version__
from fullconv.config import Size
from fullconv.errors import OutputError
from fullconv.export.exporters import Exporter, exporter_for
from fullconv.export.parity import (
    Batch,
    check_browser,
    check_parity,
    find_min_size,
    fixed_crops,
    odd_crops,
)
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.inference.runtimes import runtime_for
from fullconv.inference.runtimes.description import Description
from fullconv.io.atomic import replacing, staging
from fullconv.model import Model
from fullconv.model.stored_settings import stored_settings
from fullconv.networks.fcn import FCN


def export(
    model: Model,
    path: Path,
    photos: Sequence[UInt8[ndarray, "_ _ 3"]],
    size: Size | None = None,
) -> Description:
    """Write a model for another runtime, and compare the file's scores with the model's.

    Args:
        model: of a network from `create_model`.
        path: ends in .onnx, .pt2 or .xml; an existing file is replaced.
        photos: images to compare on, at three or more odd sizes.
        size: the only (height, width) that the file will support, after scaling as the model
            does; skips most of the work for a padding of 100. None for any size.

    Returns:
        The metadata of the file.

    Raises:
        ExportError: the scores differ by more than rounding, or the network cannot be exported;
            `path` is left as it was.
        ConfigError: the suffix is not supported.
        MissingExtraError: a package is not installed.
        OutputError: the disk is full, or the folder cannot be written.
    """
    exporter, network = exporter_for(path), cpu_network(model)
    with staged_output(path, exporter) as temporary:
        description = write_and_compare(model, network, exporter, temporary, photos, size)
        return finish(exporter, temporary, description, images_to_try(model, photos, size))


def write_and_compare(
    model: Model,
    network: nn.Module,
    exporter: Exporter,
    path: Path,
    photos: Sequence[UInt8[ndarray, "_ _ 3"]],
    size: Size | None = None,
) -> Description:
    """Write the file without metadata, compare it with the network, and return the metadata."""
    exporter.write(network, path, size)
    run = runtime_for(path).open(path).run
    least = find_min_size(network, run) if size is None else (1, 1)
    parity = check_parity(network, run, [model.network_input(photo) for photo in photos], size)
    return describe(model, least=least, fixed=size, parity=parity)


def finish(
    exporter: Exporter, path: Path, description: Description, images: Sequence[Batch]
) -> Description:
    """Add the metadata to a file just written, try it out, and return the metadata.

    Raises:
        ExportError: it does not work where it is to be used.
    """
    exporter.stamp(path, description.model_dump_json())
    if exporter.try_out is None:
        return description
    tried = description.model_copy(update={"browser": exporter.try_out(path, images)})
    check_browser(tried)
    exporter.stamp(path, tried.model_dump_json())
    return tried


def images_to_try(
    model: Model, photos: Sequence[UInt8[ndarray, "_ _ 3"]], size: Size | None
) -> list[Batch]:
    """Return crops of the photos as the network gets them, one image each."""
    shown = [model.network_input(photo) for photo in photos]
    crops = odd_crops(shown) if size is None else fixed_crops(shown, size)
    return [image for image in crops if len(image) == 1]


def describe(model: Model, **facts: Any) -> Description:
    """Return the metadata of a model's exported file."""
    return Description.checked(
        **stored_settings(model, model.network),
        fullconv=__version__,
        protocol=model.protocol,
        pixel_bytes=max(1, ceil(runtime_pixel_bytes(model.network, model.channels))),
        **facts,
    )


def cpu_network(model: Model) -> FCN:
    """Return the model's network on the CPU, in evaluation mode; the model's own stays in place."""
    network = model.network.eval()
    on_device = next(network.parameters()).device.type != "cpu"
    return copy.deepcopy(network).cpu() if on_device else network


@contextmanager
def staged_output(path: Path, exporter: Exporter) -> Iterator[Path]:
    """Yield a path in a temporary folder; afterwards move the file and its companions to `path`.

    Raises:
        OutputError: the disk is full, the folder cannot be written, or a file has the name of a
            companion but belongs to no earlier file at `path`.
    """
    for companion in map(path.with_suffix, exporter.companions):
        if companion.exists() and not path.exists():
            raise OutputError(
                f"{companion} exists, and {path.name} is written with a file of this name; choose "
                f"another name, or remove {companion.name}"
            )
    with replacing(path) as temporary, staging(path) as folder:
        inside = folder / path.name
        yield inside
        if exporter.companions:
            path.unlink(missing_ok=True)  # never leave an old graph with new weights
        for suffix in exporter.companions:
            with replacing(path.with_suffix(suffix)) as companion:
                os.replace(inside.with_suffix(suffix), companion)
        os.replace(inside, temporary)
