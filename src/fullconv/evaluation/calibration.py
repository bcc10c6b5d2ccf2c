"""How honest probabilities are: calibration error, a better temperature, threshold curves."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from fullconv.evaluation.confidence_intervals import (
    Interval,
    Units,
    percentile_interval,
    resampled_sums,
)
from fullconv.evaluation.image_table import PixelChunk

BINS = 15  # of the calibration error, of equal width
THRESHOLDS = 101  # 0, 0.01, ..., 1
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.5, 3, 13))
STRIDE = 10  # every so many-th pixel is used for the temperature


@dataclass
class CalibrationBuilder:
    """Sums what calibration needs over images; its size does not depend on their number.

    Attributes:
        classes: number of classes.
        bins: of each bin, the pixels, the sum of their confidence, and the correct ones.
        image_errors: calibration error of each image.
        sums: of the probability and of the target pixels of each class.
        nll: sum of the negative log-likelihood.
        brier: sum of the Brier score.
        tempered: sum of the negative log-likelihood at each of `TEMPERATURES`.
        sampled: number of pixels in `tempered`.
        histograms: with two classes, of each image, the pixels by the probability of class 1, of
            both targets.
    """

    classes: int
    bins: Float64[np.ndarray, "bins 3"] = field(default_factory=lambda: np.zeros((BINS, 3)))
    image_errors: list[float] = field(default_factory=list)
    sums: Float64[np.ndarray, "2 K"] = field(init=False)
    nll: float = 0.0
    brier: float = 0.0
    tempered: Float64[np.ndarray, " T"] = field(default_factory=lambda: np.zeros(len(TEMPERATURES)))
    sampled: int = 0
    histograms: list[Int64[np.ndarray, "2 thresholds"]] = field(default_factory=list)
    _image: Float64[np.ndarray, "bins 3"] = field(init=False)
    _histogram: Int64[np.ndarray, "2 thresholds"] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = np.zeros((2, self.classes))
        self._begin()

    def _begin(self) -> None:
        self._image = np.zeros((BINS, 3))
        self._histogram = np.zeros((2, THRESHOLDS), np.int64)

    def add(self, chunk: PixelChunk) -> None:
        """Add some target pixels of an image."""
        probabilities, labels = chunk.probabilities, chunk.labels
        confidence, predicted = probabilities.max(0)
        self._image += bin_sums(confidence, predicted == labels)
        self.sums[0] += probabilities.sum(1, dtype=torch.float64).numpy()
        self.sums[1] += np.bincount(labels.numpy(), minlength=self.classes)
        of_target = probabilities.gather(0, labels[None])[0]
        logarithm = of_target.log().clamp_(min=-87.0)
        self.nll -= logarithm.sum(dtype=torch.float64).item()
        squares = probabilities.square().sum(0) - 2 * of_target + 1
        self.brier += squares.sum(dtype=torch.float64).item()
        self._temper(probabilities[:, ::STRIDE], labels[::STRIDE])
        if self.classes == 2:
            index = (probabilities[1] * (THRESHOLDS - 1) + 1e-4).long()
            codes = labels * THRESHOLDS + index
            self._histogram += (
                torch.bincount(codes, minlength=2 * THRESHOLDS).numpy().reshape(2, -1)
            )

    def end_image(self) -> None:
        """End the image whose pixels were added."""
        self.bins += self._image
        self.image_errors.append(calibration_error(self._image))
        if self.classes == 2:
            self.histograms.append(self._histogram)
        self._begin()

    def _temper(self, probabilities: Tensor, labels: Tensor) -> None:
        # A softmax at temperature T of the scores is one of the logarithms of the probabilities.
        logarithms = probabilities.log().clamp_(min=-87.0)
        for index, temperature in enumerate(TEMPERATURES):
            scaled = (logarithms / temperature).log_softmax(0)
            value = scaled.gather(0, labels[None]).sum(dtype=torch.float64)
            self.tempered[index] -= value.item()
        self.sampled += len(labels)

    def result(self) -> "Calibration":
        """Return the calibration over all images."""
        pixels = self.bins[:, 0].sum()
        known = [error for error in self.image_errors if not math.isnan(error)]
        shares = self.sums / max(1.0, pixels)
        return Calibration(
            error=calibration_error(self.bins),
            image_error=float(np.mean(known)) if known else math.nan,
            nll=self.nll / pixels if pixels else math.nan,
            brier=self.brier / pixels if pixels else math.nan,
            excess=shares[0] - shares[1],
            bins=self.bins,
            temperature=best_temperature(self.tempered),
            tempered_nll=float(self.tempered.min()) / self.sampled if self.sampled else math.nan,
            histograms=np.array(self.histograms) if self.histograms else None,
        )


@dataclass(frozen=True)
class Calibration:
    """The calibration of a model's probabilities on a data set.

    Attributes:
        error: expected calibration error (ECE) of the predicted class over all pixels, in [0, 1].
        image_error: mean of the images' calibration errors.
        nll: mean negative log-likelihood, in nats.
        brier: mean Brier score, summed over the classes.
        excess: of each class, mean probability minus frequency.
        bins: of each bin, the pixels, the sum of their confidence, and the correct ones.
        temperature: scores divided by it have the best likelihood; above 1, the model is too sure.
        tempered_nll: the likelihood near that temperature, on every tenth pixel.
        histograms: see `CalibrationBuilder`; None unless there are two classes.
    """

    error: float
    image_error: float
    nll: float
    brier: float
    excess: Float64[np.ndarray, " K"]
    bins: Float64[np.ndarray, "bins 3"]
    temperature: float
    tempered_nll: float
    histograms: Int64[np.ndarray, "N 2 thresholds"] | None

    def to_dict(self) -> dict[str, object]:
        """Return the values for JSON; nan is None."""
        names = ("error", "image_error", "nll", "brier", "temperature", "tempered_nll")
        values = {name: getattr(self, name) for name in names}
        return {name: None if math.isnan(value) else value for name, value in values.items()}


@dataclass(frozen=True)
class ThresholdCurve:
    """Metrics of class 1 of two where its probability is at least a threshold.

    Attributes:
        thresholds: 0, 0.01, ..., 1.
        precision: in [0, 1]; nan where nothing is predicted.
        recall: in [0, 1].
        f1: in [0, 1].
        iou: in [0, 1].
        best: the threshold with the best IoU.
        interval: of `best`, by resampling; None with too few units.
    """

    thresholds: Float64[np.ndarray, " thresholds"]
    precision: Float64[np.ndarray, " thresholds"]
    recall: Float64[np.ndarray, " thresholds"]
    f1: Float64[np.ndarray, " thresholds"]
    iou: Float64[np.ndarray, " thresholds"]
    best: float
    interval: Interval | None


def threshold_curve(
    histograms: Int64[np.ndarray, "N 2 thresholds"], units: Units
) -> ThresholdCurve:
    """Return the curve over all images, and the interval of the best threshold."""
    correct, wrong, missed = _counts_above(histograms.sum(0))
    with np.errstate(invalid="ignore"):
        precision = correct / (correct + wrong)
        recall = correct / (correct + missed)
        f1 = 2 * correct / (2 * correct + wrong + missed)
        iou = correct / (correct + wrong + missed)
    thresholds = np.linspace(0, 1, THRESHOLDS)
    interval = None
    if units.enough:
        sums = units.sums(histograms).reshape(len(units), -1)
        resampled = resampled_sums(sums).reshape(-1, 2, THRESHOLDS)
        best = _best(_counts_above(resampled))
        interval = percentile_interval(thresholds[best], len(units))
    best_threshold = float(thresholds[_best((correct, wrong, missed))])
    return ThresholdCurve(thresholds, precision, recall, f1, iou, best_threshold, interval)


def bin_sums(confidence: Tensor, correct: Bool[Tensor, " P"]) -> Float64[np.ndarray, "bins 3"]:
    """Return pixels, summed confidence and correct pixels of each bin [k/15, (k+1)/15)."""
    values = confidence.double()
    index = (values * BINS).long().clamp_(max=BINS - 1)
    columns = (torch.ones_like(values), values, correct.double())
    return torch.stack([torch.bincount(index, c, minlength=BINS) for c in columns], 1).numpy()


def calibration_error(bins: Float64[np.ndarray, "bins 3"]) -> float:
    """Return the expected calibration error: mean |accuracy - confidence| over pixels, or nan."""
    pixels = bins[:, 0].sum()
    return float(np.abs(bins[:, 2] - bins[:, 1]).sum() / pixels) if pixels else math.nan


def best_temperature(nll: Float64[np.ndarray, " T"]) -> float:
    """Return the temperature of the least likelihood loss: a parabola through the best three."""
    best = int(np.argmin(nll))
    if not nll.any():
        return math.nan
    if best in (0, len(nll) - 1):
        return TEMPERATURES[best]
    left, middle, right = nll[best - 1 : best + 2]
    shift = (left - right) / (2 * (left - 2 * middle + right))
    step = math.log(TEMPERATURES[1] / TEMPERATURES[0])
    return TEMPERATURES[best] * math.exp(float(shift) * step)


def _counts_above(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true positives, false positives and false negatives at each threshold."""
    above = histograms[..., ::-1].cumsum(-1)[..., ::-1]
    total = histograms.sum(-1, keepdims=True)
    return above[..., 1, :], above[..., 0, :], (total - above)[..., 1, :]


def _best(counts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    correct, wrong, missed = counts
    return np.asarray(np.argmax(correct / np.maximum(1, correct + wrong + missed), -1))
