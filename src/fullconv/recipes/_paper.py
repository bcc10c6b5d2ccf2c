"""What all of the authors' trainings share: their solver and prototxt, for a mean loss.

The authors sum the loss over an image's pixels, we take the mean. A rate for their sum is one for
our mean once multiplied by the pixels of a typical photo, of which a VOC photo has about 187,000.
"""

from typing import Any

PIXELS = 187_000

HEAVY: dict[str, Any] = {
    "padding": 100,
    "optimizer": "sgd",
    "momentum": 0.99,
    "batch": 1,
    "crop": "whole",
    "weight_decay": 5e-4,
    "bias_lr": 2.0,
    "schedule": "constant",
    "flip": False,
    "scale": (1.0, 1.0),
    "jitter": 0.0,
    "average": 0.0,
    "backbone_lr": 1.0,
}


def of_the_mean(rate: float) -> float:
    """The rate of the mean loss that does what `rate` does to the authors' sum."""
    return rate * PIXELS
