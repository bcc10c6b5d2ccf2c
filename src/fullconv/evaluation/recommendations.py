"""Which settings of a training the findings and the masks speak for, each with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullconv.config import RunConfig, TrainConfig, to_yaml
from fullconv.data.checks import Diagnosis
from fullconv.data.checks._survey import Survey
from fullconv.data.discovery.resplit import with_groups
from fullconv.data.labels.class_weights import RULES
from fullconv.evaluation.upper_bounds import UpperBounds

RARE = 0.01  # share of the labelled pixels below which a class is given more weight
STEEP = 50.0  # largest weight over smallest above which weights do more harm than good


@dataclass(frozen=True)
class Setting:
    """One setting of `TrainConfig`, its value, and why."""

    name: str
    value: Any
    reason: str


def settings(diagnosis: Diagnosis, advice: UpperBounds | None) -> list[Setting]:
    """What to train this data set with; only what differs from the defaults, and the data."""
    chosen = [_data(diagnosis)]
    if advice and advice.stride:
        chosen.append(_model(advice))
    chosen += _weights(diagnosis.survey)
    return chosen


def as_yaml(diagnosis: Diagnosis, chosen: list[Setting]) -> str:
    """The settings as a file for `fullconv train --config`, each under a line with its reason."""
    RunConfig.checked(**{setting.name: setting.value for setting in chosen})
    lines = [f"# What fullconv check found in {diagnosis.survey.source}: {diagnosis.verdict}\n"]
    for setting in chosen:
        lines.append(f"\n# {' '.join(setting.reason.split())}\n")
        lines.append(to_yaml({setting.name: setting.value}))
    return "".join(lines)


def _data(diagnosis: Diagnosis) -> Setting:
    survey = diagnosis.survey
    divided = with_groups(survey.source, "clip")
    if any(divided in finding.remedy for finding in diagnosis.findings):
        return Setting("data", divided, "On disk train and val share a clip; so they do not.")
    sizes = ", ".join(f"{split} {len(survey.of(split))}" for split in survey.splits)
    return Setting("data", survey.source, f"{len(survey.classes)} classes; photos: {sizes}.")


def _model(advice: UpperBounds) -> Setting:
    backbone = str(TrainConfig.model_fields["model"].default).partition("-")[2]
    return Setting("model", f"fcn{advice.stride}s-{backbone}", f"{advice.sentences()[0]}.")


def _weights(survey: Survey) -> Iterator[Setting]:
    pixels = survey.counts.pixels
    shares = pixels / max(1, pixels.sum())
    rare = [label for label in np.argsort(shares).tolist() if 0 < shares[label] < RARE]
    if not rare:
        return
    names = ", ".join(f"{survey.classes[label]} {100 * shares[label]:.2f} %" for label in rare)
    for rule in ("median-freq", "sqrt-inv"):
        weights = RULES[rule](survey.counts)
        spread = float(np.nanmax(weights) / np.nanmin(weights))
        if spread <= STEEP:
            yield Setting(
                "balance",
                rule,
                f"Rare in train: {names}. The largest weight is {spread:.0f} times the smallest; "
                "none, the paper's choice, is better for pixel accuracy.",
            )
            return
