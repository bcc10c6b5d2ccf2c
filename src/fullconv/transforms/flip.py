"""Left and right, exchanged."""

from dataclasses import dataclass, replace

import numpy as np

from fullconv.sample import Sample


@dataclass(frozen=True)
class Flip:
    """Mirror left and right, every second time."""

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample or its mirror image."""
        if random.random() < 0.5:
            return sample
        mirrored = np.ascontiguousarray(sample.image[:, ::-1])
        return replace(sample, image=mirrored, labels=np.ascontiguousarray(sample.labels[:, ::-1]))
