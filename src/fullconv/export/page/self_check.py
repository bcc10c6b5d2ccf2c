"""What a page checks itself with when it opens: a small photo and its labels."""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fullconv.config import Size
from fullconv.errors import ExportError
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.runtimes.description import Description
from fullconv.inference.runtimes.page import open_page
from fullconv.io.images import encode_labels, encode_png, fit_size, scale_image
from fullconv.model import exported_model

SIZE = (47, 63)  # of the photo, if the model takes it
SCALED = (29, 41)  # to check the filter


def self_check(path: Path, description: dict[str, Any]) -> dict[str, Any]:
    """Return a photo, the checksums of its pixels, as stored and scaled, and its labels.

    Args:
        path: a page with the model, which need not have a description yet.
        description: of the model.
    """
    known = Description.checked(**description)
    photo = draw_photo(*_photo_size(known))
    model = exported_model(ExportedFile(path, open_page(path).run, known))
    return {
        "photo": _text(encode_png(photo)),
        "sums": [zlib.crc32(photo.tobytes()), zlib.crc32(scale_image(photo, SCALED).tobytes())],
        "scaled": SCALED,
        "labels": _text(encode_labels(model.predict(photo).labels, model.palette)),
    }


def draw_photo(height: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """Return a picture of waves in all colours, with sharp edges between its quarters."""
    y, x = np.mgrid[:height, :width]
    waves = [x / 9 + y / 31, x / 23 - y / 7, (x + y) / 13]
    picture = np.stack([127.5 + 127.5 * np.sin(wave) for wave in waves], 2)
    quarter = (y * 2 >= height) ^ (x * 2 >= width)
    picture[quarter] = 255 - picture[quarter][:, ::-1] / 2
    return picture.round().astype(np.uint8)


def _photo_size(known: Description) -> Size:
    wanted = known.fixed or tuple(map(max, known.least, SIZE))
    height, width = (round(side / known.input_scale) for side in wanted)
    found = fit_size((height, width), known.size, known.input_scale)
    if known.fixed and found != known.fixed:
        raise ExportError(
            f"no photo has {known.fixed[0]} x {known.fixed[1]} pixels, the size of this file, "
            "after it is fitted and scaled as the model does; give another --size"
        )
    return height, width


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
