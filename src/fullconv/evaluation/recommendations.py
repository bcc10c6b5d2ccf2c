"""Recommend training settings for a data set, each with its reason."""

from dataclasses import dataclass
from typing import Any

from fullconv.config import BACKBONE, RunConfig
from fullconv.data.checks import Diagnosis
from fullconv.data.discovery.resplit import with_groups
from fullconv.evaluation.upper_bounds import UpperBounds
from fullconv.io.settings_file import to_yaml


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

    Loss and class weights are not among them: training decides them from the masks itself.

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
