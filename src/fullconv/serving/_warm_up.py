"""Compute a prediction with each model before the first request."""

import numpy as np

from fullconv.serving._models import ServedModel
from fullconv.serving._service import Service

SIDE = 64  # pixels of the image, if the model does not need another size


def warm_up(service: Service) -> None:
    """Predict an image with each model, since first predictions take several times as long."""
    for served in [*service.models.values()]:
        warm_up_model(served)


def warm_up_model(served: ServedModel) -> None:
    """Predict an image with a model."""
    exported = served.model.exported
    height, width = served.model.size or (SIDE, SIDE)
    if exported:
        height, width = exported.fixed_size or np.maximum((height, width), exported.min_size)
    served.model.predict(np.zeros((int(height), int(width), 3), np.uint8))
