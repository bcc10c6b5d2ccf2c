"""Paint one annotation of Label Studio as labels of a model's classes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from fullconv.data.formats._annotations import with_ground
from fullconv.data.formats.labelstudio.regions import layer_of
from fullconv.data.formats.labelstudio.tasks import Annotation
from fullconv.data.labels.patches import Size
from fullconv.data.labels.photo_fit import check_fit
from fullconv.data.labels.rasterize import paint
from fullconv.errors import DataError
from fullconv.io.palettes import VOID


def paint_annotation(
    annotation: Annotation, classes: Sequence[str], size: Size, where: str
) -> UInt8[np.ndarray, "H W"]:
    """Return the labels of an annotation; 255 is not labelled.

    Pixels outside all regions are the background, or not labelled if it is not among the classes.

    Args:
        annotation: of one photo.
        classes: of the model, in the order of its labels.
        size: (height, width) of the photo.
        where: the annotation, for messages.

    Raises:
        DataError: it was drawn on another size, or a region cannot be painted or has no class.
    """
    for region in annotation.regions:
        if region.size not in (None, size):
            raise DataError(
                f"drawn on {region.size} pixels (height, width), but the photo has {size}",
                expected="the photo that was annotated",
                where=region.where,
            )
    names = with_ground(classes, where)
    layers = [layer_of(one, order, names, size) for order, one in enumerate(annotation.regions)]
    check_fit(layers, size)
    table = np.full(256, VOID, np.uint8)
    for painted, name in enumerate(names):
        if name in classes:
            table[painted] = classes.index(name)
    labels: UInt8[np.ndarray, "H W"] = table[paint(layers, size).labels]
    return labels
