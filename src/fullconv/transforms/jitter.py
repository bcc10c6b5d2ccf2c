"""Another light: brightness, contrast and saturation."""

from dataclasses import dataclass, replace

import numpy as np

from fullconv.sample import Sample


@dataclass(frozen=True)
class Jitter:
    """Change brightness, contrast and saturation by up to `strength` (0.2: 20 %) each way."""

    strength: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample in another light; its labels are the same."""
        brightness, contrast, saturation = (
            np.float32(factor) for factor in random.uniform(-self.strength, self.strength, 3) + 1
        )
        # In place, and the grey from three slices: twice as fast as expressions, to the same bit.
        image = sample.image.astype(np.float32)
        grey = ((image[..., 0] + image[..., 1] + image[..., 2]) / np.float32(3))[..., None]
        image -= grey
        image *= saturation
        image += grey
        middle = image.mean()
        image -= middle
        image *= contrast
        image += middle
        image *= brightness
        np.rint(image, out=image).clip(0, 255, out=image)
        return replace(sample, image=image.astype(np.uint8))
