"""A photo answered at several scales, as it is and mirrored: the mean of the answers."""

import copy
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from fullconv.averaging import averaged
from fullconv.model import Model
from fullconv.prediction import Prediction

Image = UInt8[np.ndarray, "H W 3"]


def averaged_answer(
    model: Model, image: Image, scales: Sequence[float], memory: int | None = None
) -> Prediction:
    """The mean of a model's answers to a photo at several scales, as it is and mirrored.

    Args:
        model: answers each view.
        image: the photo, RGB in [0, 255].
        scales: times the size that the model answers photos at; 1 is as a plain answer sees it.
        memory: bytes that one view's computation may take; None is half of what is free.
    """
    plain = copy.copy(model)
    plain.size = None  # the views have the sizes that are wanted: fitted, all would be alike

    def score(view: Image) -> Float[Tensor, "K H W"]:
        answer = plain.predict(view, memory=memory, scores=True)
        assert answer.score is not None  # it was asked for
        return answer.score

    found = averaged(score, image, scales, size=model.size)
    return Prediction(image, found, model.classes, model.palette)
