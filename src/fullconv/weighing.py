"""What each class weighs in the loss, from the labels of a data set."""

import numpy as np
import torch

from fullconv.balance import RULES, Counts
from fullconv.sample import Data

COUNTED = 500  # samples whose pixels decide the class weights


def class_weights(data: Data, rule: str, device: torch.device) -> torch.Tensor | None:
    """What each class weighs in the loss, from at most `COUNTED` samples; None is all the same."""
    if rule == "none":
        return None
    weights = RULES[rule](count_labels(data))
    return torch.tensor(np.nan_to_num(weights), dtype=torch.float32, device=device)


def count_labels(data: Data) -> Counts:
    """Each class's pixels, and the pixels of the photos it is in, from at most `COUNTED`."""
    pixels, present = np.zeros((2, len(data.classes)), np.int64)
    for index in range(0, len(data), max(1, len(data) // COUNTED)):
        labels = data[index].labels
        counts = np.bincount(labels.ravel(), minlength=256)[: len(data.classes)]
        pixels += counts
        present += labels.size * (counts > 0)
    return Counts(pixels, present)
