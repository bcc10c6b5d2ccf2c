"""Explain where mean IoU is lost: at which boundaries, by which errors, with which confidence."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor

from fullconv.evaluation.boundary import (
    RADII,
    TrimapCounts,
    boundary_counts,
    boundary_matches,
    edge_distance,
)
from fullconv.evaluation.calibration import (
    Calibration,
    CalibrationBuilder,
    ThresholdCurve,
    threshold_curve,
)
from fullconv.evaluation.confidence_intervals import Units
from fullconv.evaluation.error_analysis import (
    CLASS_KINDS,
    PIXEL_KINDS,
    Repair,
    analyse_errors,
    mean_iou,
    repairs_by_kind,
    repairs_by_pair,
)
from fullconv.evaluation.image_table import NEAR, pixel_chunks
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID

PAIRS = 20  # repairs of pairs of classes that are listed

Labels = UInt8[np.ndarray, "H W"]


@dataclass(frozen=True)
class Explanation:
    """Where a model's mean IoU is lost on a data set.

    Attributes:
        classes: class names.
        boundary_iou: of each class, in [0, 1]; nan for a class without target pixels.
        boundary_f1: BF score: the mean over the images.
        surface_dice: normalized surface distance (NSD, surface Dice): the mean over the images.
        trimap: radius in pixels -> mean IoU of the pixels nearer to a boundary than that.
        wrong_within: radius in pixels -> share of the wrong pixels nearer to a boundary than that.
        errors: pixels of each class's false positives and false negatives, by `CLASS_KINDS`.
        unions: pixels of each class's union of labels and prediction.
        kinds: repairs of the kinds of wrong pixels, in the order in which they are divided.
        pairs: repairs of pairs of classes, the largest gain first.
        calibration: None for predictions from files, which have no scores.
        curve: threshold curve; None unless there are two classes, scores, and target pixels of the
            second class.
    """

    classes: tuple[str, ...]
    boundary_iou: Float64[np.ndarray, " K"]
    boundary_f1: float
    surface_dice: float
    trimap: dict[int, float]
    wrong_within: dict[int, float]
    errors: Int64[np.ndarray, "K 2 3"] = field(repr=False)
    unions: Int64[np.ndarray, " K"] = field(repr=False)
    kinds: list[Repair]
    pairs: list[Repair]
    calibration: Calibration | None
    curve: ThresholdCurve | None = field(repr=False)

    @property
    def mean_boundary_iou(self) -> float:
        """Mean boundary IoU over the classes that have one, in [0, 1] or nan."""
        known = self.boundary_iou[~np.isnan(self.boundary_iou)]
        return float(known.mean()) if known.size else math.nan

    @property
    def error_shares(self) -> Float64[np.ndarray, "K 2 3"]:
        """Errors as shares of each class's union: with IoU they sum to 1; nan without a union."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.errors / self.unions[:, None, None])

    def to_dict(self) -> dict[str, object]:
        """Return the values for JSON; nan is None."""
        shares = self.error_shares
        return {
            "mean_boundary_iou": _known(self.mean_boundary_iou),
            "boundary_f1": _known(self.boundary_f1),
            "surface_dice": _known(self.surface_dice),
            "boundary_iou": dict(zip(self.classes, map(_known, self.boundary_iou), strict=True)),
            "trimap_mean_iou": {str(radius): _known(iou) for radius, iou in self.trimap.items()},
            "wrong_pixels_within": {
                str(r): _known(share) for r, share in self.wrong_within.items()
            },
            "errors": {
                name: {
                    f"{side}_{kind}": _known(float(shares[index, row, column]))
                    for row, side in enumerate(("false_positive", "false_negative"))
                    for column, kind in enumerate(CLASS_KINDS)
                }
                for index, name in enumerate(self.classes)
            },
            "repairs": [_repair(repair) for repair in self.kinds],
            "repairs_of_pairs": [_repair(repair) for repair in self.pairs],
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "best_threshold": self.curve.best if self.curve else None,
            "best_threshold_interval": self.curve.interval if self.curve else None,
        }


class ExplanationBuilder:
    """Sums what an explanation needs over images; its size does not depend on their number."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        count = len(classes)
        self.classes = classes
        self.boundaries = np.zeros((count, 2), np.int64)
        self.scores: list[Float64[np.ndarray, " 2"]] = []  # BF score and surface Dice
        self.trimap = TrimapCounts.of(count)
        self.errors = np.zeros((count, 2, 3), np.int64)
        self.kinds = np.zeros((len(PIXEL_KINDS), count, count + 1), np.int64)
        self.calibration = CalibrationBuilder(count)

    def add(self, target: Labels, predicted: Labels, score: Float[Tensor, "K H W"] | None) -> None:
        """Add an image."""
        count = len(self.classes)
        prediction = np.where(target == VOID, np.uint8(VOID), predicted)
        distance = edge_distance(target, max(RADII))
        self.boundaries += boundary_counts(target, prediction, count)
        if matches := boundary_matches(target, prediction, count):
            scores = [(match.f1, match.surface_dice) for match in matches]
            self.scores.append(np.mean(scores, 0))
        self.trimap.add(target, prediction, distance)
        found = analyse_errors(target, prediction, count, distance <= NEAR)
        self.errors += found.by_class
        wrong = found.kind >= 0
        column = np.minimum(prediction[wrong], count).astype(np.int64)
        codes = (found.kind[wrong] * count + target[wrong].astype(np.int64)) * (count + 1) + column
        self.kinds += np.bincount(codes, minlength=self.kinds.size).reshape(self.kinds.shape)
        if score is not None:
            with torch.inference_mode():
                for chunk in pixel_chunks(score, target):
                    self.calibration.add(chunk)
            self.calibration.end_image()

    def result(self, confusion: Confusion, units: Units | None = None) -> Explanation:
        """Return the explanation; `units` of the images give the threshold's interval."""
        matrices = self.trimap.within()
        near = matrices[: len(RADII)]
        wrong = [int(matrix.sum() - np.trace(matrix)) for matrix in matrices]
        labelled = confusion.counts.sum(1) > 0
        with np.errstate(invalid="ignore"):
            boundary_iou = self.boundaries[:, 0] / self.boundaries[:, 1]
        boundary_iou[~labelled] = np.nan
        f1, dice = np.mean(self.scores, 0).tolist() if self.scores else (math.nan, math.nan)
        calibration = self.calibration.result() if self.calibration.image_errors else None
        histograms = calibration.histograms if calibration else None
        curve = None
        if histograms is not None and units is not None and labelled[1]:
            curve = threshold_curve(histograms, units)
        return Explanation(
            self.classes,
            boundary_iou,
            f1,
            dice,
            dict(zip(RADII, map(mean_iou, near), strict=True)),
            dict(zip(RADII, (w / max(1, wrong[-1]) for w in wrong[:-1]), strict=True)),
            self.errors,
            confusion.counts.sum(1) + confusion.counts[:, :-1].sum(0) - confusion.counts.diagonal(),
            repairs_by_kind(confusion, self.kinds),
            repairs_by_pair(confusion, self.classes, PAIRS),
            calibration,
            curve,
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _repair(repair: Repair) -> dict[str, object]:
    numbers = {"gain": _known(repair.gain), "after": _known(repair.after)}
    return {"what": repair.what, "pixels": repair.pixels, **numbers}
