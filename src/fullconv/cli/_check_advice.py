"""What training would make of the data set: its scale and crops, and what each stride can reach."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.data.survey.survey import Survey
    from fullconv.evaluation.upper_bounds import UpperBounds


@dataclass(frozen=True)
class TrainingSize:
    """The size at which training would use the photos.

    Attributes:
        settings: of a training, with everything decided that depends on the size.
        scale: the working scale and its reason, in words.
    """

    settings: "RunConfig"
    scale: str

    @property
    def factor(self) -> float:
        """The working scale."""
        return self.settings.input_scale or 1.0

    @property
    def facts(self) -> dict[str, str]:
        """The row for the table of facts."""
        height, width = self.settings.crop_size or (0, 0)
        return {"training": f"{self.scale}; crops of {height} x {width}"}

    @property
    def words(self) -> str:
        """The size in words that follow "mean IoU"; "" if photos keep their size."""
        if self.settings.size:
            return f" of masks fitted into {_size(self.settings.size)}"
        return "" if self.factor == 1 else f" at {self.factor:g} times the photos' size"

    @property
    def values(self) -> dict[str, Any]:
        """The settings for check.json."""
        return {
            "size": self.settings.size,
            "scale": self.factor,
            "crop": self.settings.crop_size,
        }


def training_size(survey: "Survey", size: tuple[int, int] | None) -> TrainingSize | None:
    """Return the size that a training would choose; None if no labels can be read.

    Args:
        survey: of the data set.
        size: (height, width) that larger photos are downscaled to fit, if the user chose it.
    """
    from fullconv.config import RunConfig
    from fullconv.training.resolve import resolve

    if not len(data := survey.data("train")):
        return None
    settings, scale = resolve(RunConfig.checked(data=survey.source, size=size), data)
    words = f"larger photos are downscaled to fit {_size(size)} (--size)" if size else str(scale)
    return TrainingSize(settings, words)


def compute_bounds(
    survey: "Survey", at: TrainingSize | None, progress: Any
) -> "UpperBounds | None":
    """Compute what each stride can reach on the masks that decide, at the size of training."""
    from fullconv.data.transforms import fit
    from fullconv.evaluation.upper_bounds import upper_bounds
    from fullconv.training.choose_stride import measured_indices

    if at is None:
        return None
    data, size = survey.data("train"), at.settings.size
    indices = measured_indices(data, size, at.factor)
    tracked = progress(indices, len(indices), "strides")
    masks = (fit(data[index], size, at.factor).labels for index in tracked)
    return upper_bounds(masks, survey.classes, at.words)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
