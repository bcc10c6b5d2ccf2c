r"""An auto-annotation function of CVAT, which its command line runs on the photos of a task.

cvat-cli task auto-annotate 137 --function-module fullconv.tools.cvat \
        -p model=str:runs/train/photos-001
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fullconv.data.labels.outlines import single_ring
from fullconv.data.labels.polygonize import polygonize
from fullconv.data.labels.special_names import is_background
from fullconv.errors import require
from fullconv.io.palettes import VOID
from fullconv.model import Model, load


def create(model: str, tta: bool = False) -> "SegmentationFunction":
    """Return the function of a model.

    Args:
        model: a run folder or a model file.
        tta: test-time augmentation.

    Raises:
        WeightsError: the model cannot be read.
        MissingExtraError: cvat-sdk is not installed.
    """
    opened = load(model)
    opened.check_photos("CVAT")
    return SegmentationFunction(opened.optimize(), tta)


class SegmentationFunction:
    """Draw a mask for each class of a photo; `cvat_sdk.auto_annotation.DetectionFunction`.

    Pixels of a background get no mask.

    Args:
        model: predicts.
        tta: whether to use test-time augmentation.

    Attributes:
        spec: its classes, whose ids are those of the model's labels.
    """

    def __init__(self, model: Model, tta: bool = False) -> None:
        self.model, self.tta = model, tta
        self._sdk = require("cvat_sdk.auto_annotation", extra="cvat", what="annotating in CVAT")
        self._masks = require("cvat_sdk.masks", extra="cvat", what="annotating in CVAT")
        labels = [
            self._sdk.label_spec(name, label)
            for label, name in enumerate(model.classes)
            if not is_background(name)
        ]
        self.spec: Any = self._sdk.DetectionFunctionSpec(labels=labels)

    def detect(self, context: Any, image: Any) -> Sequence[Any]:
        """Return the shapes of one photo.

        Args:
            context: `conv_mask_to_poly` asks for polygons, one per region, in place of masks;
                pixels less probable than `conf_threshold` get no shape.
            image: a PIL image.
        """
        threshold = context.conf_threshold
        found = self.model.predict(image, tta=self.tta, scores=threshold is not None)
        labels = found.labels
        if threshold is not None:
            labels = np.where(found.probabilities.max(0) < threshold, np.uint8(VOID), labels)
        drawn = {label.id for label in self.spec.labels}
        labels = np.where(np.isin(labels, list(drawn)), labels, np.uint8(VOID))
        return list(self._polygons(labels) if context.conv_mask_to_poly else self._shapes(labels))

    def _shapes(self, labels: UInt8[np.ndarray, "H W"]) -> Iterator[Any]:
        for label in np.unique(labels[labels != VOID]).tolist():
            yield self._sdk.mask(label, self._masks.encode_mask(labels == label))

    def _polygons(self, labels: UInt8[np.ndarray, "H W"]) -> Iterator[Any]:
        for polygon in polygonize(labels):
            points = single_ring(polygon)[:, ::-1].ravel().tolist()
            yield self._sdk.polygon(polygon.label, points)
