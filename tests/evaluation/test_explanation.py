"""An explanation agrees with the metrics, and ignored pixels never count."""

import json
import math

import numpy as np
import pytest
import torch

from drawn_labels import labels_and_prediction
from fullconv.evaluation.explanation import ExplanationBuilder
from fullconv.evaluation.explanation_files import explain_in_words, write_explanation
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID

CLASSES = tuple("abcd")


def explained(seeds, paint=lambda target, prediction: prediction, scored=True):
    builder, confusion = ExplanationBuilder(CLASSES), Confusion(4)
    for seed in seeds:
        target, prediction = labels_and_prediction(seed)
        prediction = paint(target, prediction)
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(prediction).long(), 4)
        score = 3 * one_hot.permute(2, 0, 1).float()
        builder.add(target, prediction, score if scored else None)
        confusion.add(target, prediction)
    return builder.result(confusion), confusion


def test_kinds_sum_to_the_wrong_pixels_and_their_repairs_to_one():
    found, confusion = explained((0, 1, 2))
    wrong = confusion.counts.sum() - confusion.counts.trace()
    assert sum(repair.pixels for repair in found.kinds) == wrong
    assert found.kinds[-1].after == 1
    shares = found.error_shares.sum((1, 2))
    assert shares + confusion.iou == pytest.approx(np.ones(4), abs=1e-12)
    radii = list(found.wrong_within.values())
    assert radii == sorted(radii) and radii[0] > 0 and radii[-1] <= 1


def test_painting_ignored_pixels_changes_nothing():
    def paint(target, prediction):
        return np.where(target == VOID, np.uint8(2), prediction)

    found, _ = explained((3, 4))
    painted, _ = explained((3, 4), paint)
    assert json.dumps(found.to_dict()) == json.dumps(painted.to_dict())


def test_files_and_sentences_name_the_largest_losses(tmp_path):
    found, _ = explained((5, 6))
    names = {path.name for path in write_explanation(tmp_path, found)}
    assert names == {f"{n}.csv" for n in ("boundary", "where", "repairs", "pairs", "calibration")}
    assert (tmp_path / "pairs.csv").read_text().splitlines()[1].startswith(found.pairs[0].what)
    lines = explain_in_words(found)
    assert lines[0].startswith(f"edges within 3 px cost {100 * found.kinds[0].gain:.1f} points")
    assert found.pairs[0].what in lines[1] and "calibration error" in lines[-1]


def test_predictions_without_scores_have_no_calibration():
    found, _ = explained((7,), scored=False)
    assert found.calibration is None and found.to_dict()["calibration"] is None


def test_a_perfect_prediction_has_nothing_to_repair():
    found, _ = explained((8,), lambda target, _: np.where(target == VOID, np.uint8(0), target))
    assert (
        found.mean_boundary_iou == found.boundary_f1 == found.surface_dice == 1
        and found.pairs == []
    )
    assert [repair.gain for repair in found.kinds] == [0, 0, 0, 0]


def test_without_images_everything_is_unknown():
    found = ExplanationBuilder(CLASSES).result(Confusion(4))
    assert math.isnan(found.boundary_f1) and math.isnan(found.mean_boundary_iou)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["boundary_f1"] is None
