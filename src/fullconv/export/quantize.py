"""Post-training int8 quantization, refused if it costs too much mean IoU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fullconv.config import Size
from fullconv.data.sample import Data
from fullconv.errors import ConfigError, DataError, ExportError
from fullconv.evaluation.metrics import Confusion, format_percent
from fullconv.evaluation.scored_samples import score_samples
from fullconv.export.export import (
    cpu_network,
    describe,
    finish,
    images_to_try,
    staged_output,
    write_and_compare,
)
from fullconv.export.exporters import exporter_for, exporters
from fullconv.export.parity import crop_or_tile, to_batch
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.runtimes import runtime_for
from fullconv.inference.runtimes.description import Description, QuantizationCost
from fullconv.model import Model, exported_model

CALIBRATION = 32
"""Maximum number of calibration images, which give the ranges of the activations."""


def export_int8(
    model: Model,
    path: Path,
    calibration: Data,
    data: Data,
    tolerance: float = 1.0,
    size: Size | None = None,
) -> Description:
    """Write a model in int8, unless it costs more than `tolerance`.

    Args:
        model: of a network from `create_model`.
        path: ends in .onnx or .xml.
        calibration: images whose activations give the ranges; best the training images.
        data: labelled images to measure mean IoU on before and after; best validation images.
        tolerance: points (hundredths) of mean IoU that may be lost.
        size: as for `export`.

    Returns:
        The metadata of the file.

    Raises:
        ExportError: more was lost, or the network cannot be exported; `path` is left as it was.
        ConfigError: this format has no int8.
        DataError: there are no images, or their classes are others than the model's.
        MissingExtraError: a package is not installed.
    """
    exporter = exporter_for(path)
    if exporter.quantize is None:
        can = [exporters[name].suffix for name in exporters if exporters[name].quantize]
        raise ConfigError(f"{path}: {exporter.suffix} has no int8; expected {' or '.join(can)}")
    scaled = calibration.scaled_for(model.band_choice)
    photos = [sample.image for sample in scaled.take(evenly_spaced(len(calibration), CALIBRATION))]
    if not photos:
        raise DataError(f"{calibration.source} has no images to calibrate int8 with")
    network = cpu_network(model)
    with staged_output(path, exporter) as temporary:
        exact = temporary.with_name(f"fp32{exporter.suffix}")
        proved = write_and_compare(model, network, exporter, exact, photos[:3], size)
        shown = [model.network_input(photo) for photo in photos]
        images = [to_batch(crop_or_tile(photo, size or photo.shape[:2])) for photo in shown]
        exporter.quantize(exact, temporary, images)
        loss = measure_cost(model, temporary, data, size)
        check_cost(loss, model.classes, tolerance)
        facts = proved.model_dump(include={"least", "fixed", "parity"})
        description = describe(model, precision="int8", loss=loss, **facts)
        tried = images_to_try(model, photos[:3], size)
        return finish(exporter, temporary, description, tried)


def measure_cost(
    model: Model, path: Path, data: Data, size: Size | None = None
) -> QuantizationCost:
    """Evaluate the model and its int8 file on the same images.

    Raises:
        DataError: the data has other classes than the model, or no labelled pixel.
    """
    run = runtime_for(path).open(path).run
    quantized = exported_model(ExportedFile(path, run, describe(model, fixed=size)))
    before, after = Confusion(len(model.classes)), Confusion(len(model.classes))
    same = pixels = 0
    for one, other in zip(score_samples(model, data), score_samples(quantized, data), strict=True):
        before, after = before + one.confusion, after + other.confusion
        assert one.prediction and other.prediction
        agree = one.prediction.labels == other.prediction.labels
        same, pixels = same + int(agree.sum()), pixels + agree.size
    if not before.pixels.any():
        raise DataError(f"{data.source} has no labelled pixel to measure the cost of int8 on")
    return QuantizationCost(
        data=f"{data.source} ({data.split or 'all'})",
        images=len(data),
        before=_shares(before),
        after=_shares(after),
        mean_before=before.mean_iou,
        mean_after=after.mean_iou,
        agreement=same / pixels,
    )


def check_cost(loss: QuantizationCost, classes: Sequence[str], tolerance: float) -> None:
    """Refuse int8 if it costs too much.

    Raises:
        ExportError: mean IoU fell by more than `tolerance` points.
    """
    fall = 100 * (loss.mean_before - loss.mean_after)
    if fall <= tolerance:
        return
    rows = zip(classes, loss.before, loss.after, strict=True)
    falls = [(a - b, name, a, b) for name, a, b in rows if a is not None and b is not None]
    worst = [
        f"{name} {format_percent(a)} to {format_percent(b)}"
        for _, name, a, b in sorted(falls)[:-4:-1]
    ]
    raise ExportError(
        f"int8 costs {fall:.2f} points of mean IoU on {loss.data} "
        f"({format_percent(loss.mean_before)} to {format_percent(loss.mean_after)}; most for "
        f"{', '.join(worst)}); at most {tolerance:g} may be lost: no file was written; give more "
        "or other photos, a larger --tolerance, or export without --int8"
    )


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most `most` of the indices 0 ... count - 1, evenly spaced."""
    return sorted({round(index) for index in np.linspace(0, count - 1, min(count, most))})


def _shares(confusion: Confusion) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(share) else float(share) for share in confusion.iou)
