"""The layout of LabelMe's files, as they are written."""

from collections.abc import Mapping, Sequence
from typing import Any

VERSION = "5.5.0"  # of the layout


def labelme_header(image: str, size: Sequence[int]) -> dict[str, Any]:
    """Return the content of a file without its "shapes".

    Args:
        image: name of the photo, in the file's folder.
        size: (height, width) of the photo in pixels.
    """
    height, width = size
    return {
        "version": VERSION,
        "flags": {},
        "imagePath": image,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def labelme_shape(
    label: str,
    kind: str,
    points: Sequence[Sequence[float]],
    *,
    description: str = "",
    flags: Mapping[str, bool] | None = None,
    mask: str | None = None,
) -> dict[str, Any]:
    """Return one of the "shapes" of a file.

    Args:
        label: its class.
        kind: "polygon", or "mask" with two corners as points.
        points: (x, y) in pixels.
        description: text that LabelMe shows with it.
        flags: its checkboxes.
        mask: of a mask, its pixels as a PNG in base64.
    """
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": description,
        "shape_type": kind,
        "flags": {**(flags or {})},
        "mask": mask,
    }
