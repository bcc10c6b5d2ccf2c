"""Batches of samples of different sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from fullconv.data.sample import Sample
from fullconv.io.palettes import VOID


@dataclass(frozen=True)
class Batch:
    """Images and labels as the network uses them; labels of several heads are (B, heads, H, W)."""

    image: Float[Tensor, "B C H W"]
    labels: Int64[Tensor, "B *heads H W"]
    names: tuple[str, ...]
    soft: UInt8[Tensor, "B K H W"] | None = None


def collate(samples: Sequence[Sample]) -> Batch:
    """Return samples as a batch; smaller ones are padded right and below, with the ignore label."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    image = torch.zeros(len(samples), samples[0].image.shape[2], height, width)
    heads = (1 + len(samples[0].others),) if samples[0].others else ()
    labels = torch.full((len(samples), *heads, height, width), VOID, dtype=torch.int64)
    for index, sample in enumerate(samples):
        rows, columns = sample.labels.shape
        image[index, :, :rows, :columns] = torch.from_numpy(sample.image).permute(2, 0, 1)
        own = np.stack([sample.labels, *sample.others]) if heads else sample.labels
        labels[index, ..., :rows, :columns] = torch.from_numpy(own)
    names = tuple(sample.name for sample in samples)
    return Batch(image, labels, names, _collate_soft(samples, height, width))


def _collate_soft(
    samples: Sequence[Sample], height: int, width: int
) -> UInt8[Tensor, "B K H W"] | None:
    """Return the teacher's probabilities, 0 where samples are padded; None without a teacher."""
    found = [sample.soft for sample in samples if sample.soft is not None]
    if not found:
        return None
    batch = torch.zeros(len(samples), found[0].shape[2], height, width, dtype=torch.uint8)
    for index, soft in enumerate(found):
        rows, columns = soft.shape[:2]
        batch[index, :, :rows, :columns] = torch.from_numpy(soft).permute(2, 0, 1)
    return batch
