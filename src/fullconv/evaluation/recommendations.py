"""Recommend training settings for a data set, each with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullconv.config import BACKBONE, RunConfig
from fullconv.data.checks import Diagnosis
from fullconv.data.discovery.resplit import with_groups
from fullconv.data.labels.class_weights import RULES
from fullconv.data.survey.survey import Survey
from fullconv.evaluation.upper_bounds import UpperBounds
from fullconv.io.settings_file import to_yaml

RARE = 0.01  # share of the labelled pixels below which a class is rare
MAX_WEIGHT_RATIO = (
    50.0  # largest over smallest class weight; steeper weights do more harm than good
)


@dataclass(frozen=True)
class Setting:
    """A field of `TrainConfig` with its recommended value and the reason."""

    name: str
    value: Any
    reason: str


def recommend_settings(
    diagnosis: Diagnosis, bounds: UpperBounds | None, size: tuple[int, int] | None = None
) -> list[Setting]:
    """Return the data and the settings that should differ from the defaults.

    Args:
        diagnosis: findings and statistics of the data set.
        bounds: upper bounds on IoU by stride; None if no labels can be read.
        size: (height, width) that images are downscaled to fit, if the user chose it.
    """
    recommended = [_data(diagnosis)]
    if size:
        recommended.append(Setting("size", [*size], "Chosen with --size."))
    if bounds and bounds.stride:
        recommended.append(_model(bounds))
    recommended += _weights(diagnosis.survey)
    return recommended


def as_yaml(diagnosis: Diagnosis, recommended: list[Setting]) -> str:
    """Format the settings for `fullconv train --config`, each below a comment with its reason."""
    RunConfig.checked(**{setting.name: setting.value for setting in recommended})
    lines = [f"# fullconv check of {diagnosis.survey.source}: {diagnosis.verdict}\n"]
    for setting in recommended:
        lines.append(f"\n# {' '.join(setting.reason.split())}\n")
        lines.append(to_yaml({setting.name: setting.value}))
    return "".join(lines)


def _data(diagnosis: Diagnosis) -> Setting:
    survey = diagnosis.survey
    by_clip = with_groups(survey.source, "clip")
    if any(by_clip in finding.remedy for finding in diagnosis.findings):
        return Setting("data", by_clip, "Splits by clip: on disk, train and val share a clip.")
    sizes = ", ".join(f"{split} {len(survey.of(split))}" for split in survey.splits)
    return Setting("data", survey.source, f"{len(survey.classes)} classes; images: {sizes}.")


def _model(bounds: UpperBounds) -> Setting:
    return Setting("model", f"fcn{bounds.stride}s-{BACKBONE}", f"{bounds.sentences()[0]}.")


def _weights(survey: Survey) -> Iterator[Setting]:
    pixels = survey.counts.pixels
    shares = pixels / max(1, pixels.sum())
    rare = [label for label in np.argsort(shares).tolist() if 0 < shares[label] < RARE]
    if not rare:
        return
    names = ", ".join(f"{survey.classes[label]} {100 * shares[label]:.2f} %" for label in rare)
    for rule in ("median-freq", "sqrt-inv"):
        weights = RULES[rule](survey.counts)
        ratio = float(np.nanmax(weights) / np.nanmin(weights))
        if ratio <= MAX_WEIGHT_RATIO:
            yield Setting(
                "balance",
                rule,
                f"Rare classes in train: {names}. The largest weight is {ratio:.0f} times the "
                "smallest. For pixel accuracy prefer none, the paper's choice.",
            )
            return
