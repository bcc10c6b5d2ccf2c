"""An explanation agrees with the metrics, and ignored pixels never count."""

import json
import math

import numpy as np
import pytest
import torch

from drawn_labels import labels_and_prediction
from fullconv.evaluation.confidence_intervals import Units
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


def test_a_class_without_labels_is_left_out_of_boundary_iou():
    target = np.repeat(np.uint8([[0, 0, 1, 1]]), 4, 0)
    prediction = target.copy()
    prediction[:, 1] = 2
    builder, confusion = ExplanationBuilder(CLASSES), Confusion(4)
    builder.add(target, prediction, None)
    confusion.add(target, prediction)
    found = builder.result(confusion)
    assert np.isnan(found.boundary_iou[2:]).all() and found.boundary_iou[1] == 1
    assert found.mean_boundary_iou == (found.boundary_iou[0] + 1) / 2


def test_two_classes_without_the_second_have_no_threshold():
    for label, known in ((0, False), (1, True)):
        builder, confusion = ExplanationBuilder(("a", "b")), Confusion(2)
        target = np.full((9, 9), label, np.uint8)
        builder.add(target, target, torch.zeros(2, 9, 9))
        confusion.add(target, target)
        found = builder.result(confusion, Units("images", np.zeros(1, np.int64)))
        assert (found.curve is not None) == known == (found.to_dict()["best_threshold"] is not None)


def test_without_labels_sentences_name_no_numbers():
    builder, target = ExplanationBuilder(CLASSES), np.full((5, 5), VOID, np.uint8)
    builder.add(target, np.zeros((5, 5), np.uint8), torch.zeros(4, 5, 5))
    assert "nan" not in " ".join(explain_in_words(builder.result(Confusion(4))))


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
