"""An .onnx file for Deepness, the plugin of QGIS that segments maps: softmax and metadata.

Deepness cuts a map into square tiles, divides their values by 255, subtracts a mean and divides by
a standard deviation; the metadata undoes the division, since our graphs take [0, 255].
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fullconv.config import Size
from fullconv.errors import ConfigError, ExportError
from fullconv.export.export import cpu_network, images_to_try, staged_output, write_and_compare
from fullconv.export.exporters import exporters
from fullconv.export.onnx_edit import add_metadata, add_softmax, probabilities
from fullconv.export.parity import network_scores
from fullconv.export.targets import Target, Wanted, Written, targets
from fullconv.model import Model

TILE = 512  # pixels of a side, unless --size says another
OVERLAP = 15  # percent of a tile
TOLERANCE = 1e-4  # of a probability


def check(path: Path, size: Size | None) -> None:
    """Check the file name and the size of the tiles."""
    if path.suffix.lower() != ".onnx":
        raise ConfigError(f"{path}: for Deepness an .onnx file is written; choose such a name")
    if size is not None and size[0] != size[1]:
        raise ConfigError(
            f"--size {size[0]}x{size[1]}: tiles of Deepness are square, e.g. {TILE}x{TILE}"
        )


def write(wanted: Wanted) -> Written:
    """Write the file, and compare its probabilities as Deepness computes them."""
    model, size = wanted.model, wanted.size or (TILE, TILE)
    network, exporter = cpu_network(model), exporters["onnx"]
    with staged_output(wanted.path, exporter) as path:
        found = write_and_compare(model, network, exporter, path, wanted.photos, size)
        add_softmax(path)
        add_metadata(path, metadata(model, size[0]))
        for image in images_to_try(model, wanted.photos, size):
            tile = normalized(image)
            worst = np.abs(probabilities(path, tile) - _softmax(network_scores(network, image)))
            if not worst.max() <= TOLERANCE:  # NaN included
                raise ExportError(
                    f"the probabilities differ by {worst.max():.1e} from the network's; expected "
                    f"at most {TOLERANCE:.0e}: no file was written"
                )
    return Written(found.parity, _notes(model, size[0]))


def metadata(model: Model, tile: int) -> dict[str, str]:
    """Return the metadata that Deepness reads, as JSON."""
    values: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(label): name for label, name in enumerate(model.classes)},
        "tile_size": tile,
        "tiles_size": tile,  # the name in its documentation
        "tiles_overlap": OVERLAP,
        "standardization_mean": [0.0, 0.0, 0.0],
        "standardization_std": [1 / 255, 1 / 255, 1 / 255],
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def normalized(image: Float[np.ndarray, "1 3 H W"]) -> Float[np.ndarray, "1 3 H W"]:
    """Return a tile as Deepness passes it to the graph: divided by 255, and by 1/255."""
    return (image / np.float32(255) / np.float32(1 / 255)).astype(np.float32)


def _softmax(score: Float[np.ndarray, "1 K H W"]) -> Float[np.ndarray, "1 K H W"]:
    exponential = np.exp(score - score.max(1, keepdims=True))
    found: np.ndarray = exponential / exponential.sum(1, keepdims=True)
    return found


def _notes(model: Model, tile: int) -> tuple[str, ...]:
    notes = [
        f"tiles of {tile} x {tile} pixels; in QGIS, set the resolution of the training photos, in "
        "centimetres per pixel"
    ]
    if model.input_scale != 1:
        notes.append(
            f"the model scales photos by {model.input_scale:g} and Deepness does not: divide the "
            f"resolution by {model.input_scale:g}"
        )
    if model.size is not None:
        notes.append(
            f"the model fits photos into {model.size[0]} x {model.size[1]} pixels, and tiles are "
            "not scaled: choose a resolution at which objects have the size that they had there"
        )
    return tuple(notes)


targets.register("deepness")(
    Target("Deepness (QGIS): an .onnx file with its metadata", check, write)
)
