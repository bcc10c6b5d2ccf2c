"""Comparisons: equal models are equal, chance is not significant, protocols are not mixed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test

from fullconv.errors import ConfigError, DataError
from fullconv.evaluation.comparison import (
    FLIPS,
    MOST_SIGNS,
    Difference,
    compare_scores,
    flip_p,
    holm,
    sign_flips,
)
from fullconv.evaluation.comparison_files import write_comparisons
from fullconv.evaluation.confidence_intervals import expanded_tail
from fullconv.evaluation.image_counts import ImageCounts
from fullconv.evaluation.scores import Scores, read_scores

PROTOCOL = "3 classes; ignored pixels (255) excluded; full size"
PIXELS = 1000


def scores(name, iou, groups=None, **changes):
    """Return scores of one class with this IoU in each image, and two absent classes."""
    correct = np.rint(np.asarray(iou) * PIXELS).astype(np.int64)
    values = np.zeros((len(correct), 3, 3), np.int64)
    values[:, 0, 0], values[:, 0, 2] = correct, PIXELS - correct
    names = tuple(f"image {chr(65 + i % 26)}{chr(65 + i // 26)}" for i in range(len(correct)))
    counts = ImageCounts(names, values)
    return replace(
        Scores(name, ("sky", "road", "car"), counts, groups, PROTOCOL, "0" * 16), **changes
    )


def drawn(seed, images=40):
    return np.random.default_rng(seed).beta(8, 3, images)


def test_a_model_is_not_better_than_itself():
    found = compare_scores(scores("a", drawn(0)), scores("b", drawn(0)))
    assert found.mean_iou == Difference(0, (0, 0), 1) and not found.mean_iou.is_real
    assert (found.won, found.lost, found.mean_iou_images) == (0, 0, 0)
    assert "cannot be told apart" in found.sentence()


def test_differences_of_chance_are_rarely_significant():
    random = np.random.default_rng(1)
    p = flip_p(random.normal(size=(40, 500)))
    assert 0.03 <= np.mean(p <= 0.05) <= 0.07
    real = [compare_scores(scores("a", drawn(i)), scores("b", drawn(i + 99))) for i in range(20)]
    assert sum(found.mean_iou.is_real for found in real) <= 3


def test_signs_are_drawn_in_parts_of_bounded_size(monkeypatch):
    whole = np.concatenate([*sign_flips(9)])
    assert whole.shape == (FLIPS, 9) and (np.abs(whole) == 1).all()
    assert max(part.nbytes for part in sign_flips(30_000)) <= 8 * MOST_SIGNS
    values = np.random.default_rng(0).normal(0.2, 1, (9, 3))
    p = flip_p(values)
    monkeypatch.setattr("fullconv.evaluation.comparison.MOST_SIGNS", 9 * 77)
    assert (np.concatenate([*sign_flips(9)]) == whole).all()
    assert flip_p(values).tolist() == p.tolist()


def test_intervals_and_p_equal_scipy():
    first, second = drawn(2, 30), np.clip(drawn(2, 30) + 0.03 * drawn(3, 30) - 0.015, 0, 1)
    first, second = (np.rint(iou * PIXELS) / PIXELS for iou in (first, second))
    found = compare_scores(scores("a", first), scores("b", second))
    expected = bootstrap(
        (first, second),
        lambda one, other, axis: other.mean(axis) - one.mean(axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * expanded_tail(30),
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.mean_iou.interval == pytest.approx(expected, abs=4e-4)
    p = permutation_test(
        (second - first,),
        np.sum,
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=False,
        rng=np.random.default_rng(0),
    ).pvalue
    assert found.mean_iou.p == pytest.approx(p, abs=0.01)


def test_a_real_difference_is_named():
    first = drawn(4)
    found = compare_scores(scores("old", first), scores("new", np.clip(first + 0.02, 0, 1)))
    assert found.mean_iou.is_real and found.sentence().startswith("new is better: +2.0")
    assert found.classes["sky"].is_real and np.isnan(found.classes["car"].value)
    back = compare_scores(scores("new", np.clip(first + 0.02, 0, 1)), scores("old", first))
    assert back.sentence().startswith("new is better: -2.0")
    assert found.largest(1) and not found.largest(-1)


def test_the_number_of_images_needed_follows_from_the_interval():
    found = compare_scores(scores("a", drawn(5)), scores("b", drawn(6)))
    low, high = found.mean_iou.interval
    expected = 40 * ((high - low) / 2 / found.mean_iou.value) ** 2
    assert found.images_needed == np.ceil(expected) > 40
    assert f"about {found.images_needed:,} would do" in found.sentence()


def test_few_images_tell_nothing():
    found = compare_scores(scores("a", drawn(7, 6)), scores("b", drawn(8, 6)))
    assert found.mean_iou.interval is None
    assert found.sentence().startswith("too few to tell: 6 images")


def test_without_labels_there_is_nothing_to_compare(tmp_path):
    first, second = scores("a", drawn(7, 3)), scores("b", drawn(7, 3))
    none = replace(first.counts, values=np.zeros_like(first.counts.values))
    found = compare_scores(replace(first, counts=none), replace(second, counts=none))
    assert found.sentence() == "nothing can be compared: no image has labels"
    write_comparisons(tmp_path, [found])
    (stored,) = json.loads((tmp_path / "comparison.json").read_text())
    assert stored["mean_iou"] == [None, None] and stored["difference"]["difference"] is None


def test_groups_with_the_opposite_sign_are_named():
    first = np.full(24, 0.5)
    second = first + np.repeat([0.1, 0.1, -0.05], 8)
    groups = tuple(np.repeat(["day", "dusk", "night"], 8).tolist())
    found = compare_scores(scores("a", first, groups), scores("b", second, groups))
    assert list(found.opposite_groups) == ["night"]
    assert found.groups["day"] == pytest.approx(0.1) and (found.won, found.lost) == (16, 8)


def test_holm_adjusts_p_values_for_their_number():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1] and holm([]) == []
    assert holm([np.nan, 0.03, np.nan, 0.01])[1::2] == pytest.approx([0.03, 0.02])


def test_classes_without_labels_are_no_tests():
    first = drawn(4)
    found = compare_scores(scores("old", first), scores("new", np.clip(first + 0.01, 0, 1)))
    assert found.classes["sky"].p == found.mean_iou.p  # the only class
    assert np.isnan(found.classes["car"].p) and found.to_dict()["per_class"]["car"]["p"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"protocol": PROTOCOL + "; averaged over scales 1, 1.5 and flips"},
            "only b has 'averaged",
        ),
        ({"protocol": PROTOCOL.replace("full size", "fitted")}, "only a has 'full size'"),
        ({"digest": "1" * 16}, "the labels differ"),
    ],
)
def test_other_protocols_are_refused_unless_asked_for(changes, message):
    first, second = scores("a", drawn(0)), scores("b", drawn(0), **changes)
    with pytest.raises(ConfigError, match=message):
        compare_scores(first, second)
    assert message in compare_scores(first, second, anyway=True).warning


def test_precision_may_differ_and_files_have_no_size():
    first = scores("a", drawn(0))
    for protocol in (f"{PROTOCOL}; computed in int8", "PNGs at the labels' own size, read as x"):
        assert compare_scores(first, scores("b", drawn(0), protocol=protocol)).warning == ""


@pytest.mark.parametrize("unlabelled", [0, 1])
def test_images_that_one_evaluation_has_without_labels_are_left_out(unlabelled):
    pair = [scores("a", drawn(0)), scores("b", drawn(0), digest="1" * 16)]
    values = pair[unlabelled].counts.values.copy()
    values[3] = 0
    counts = replace(pair[unlabelled].counts, values=values)
    pair[unlabelled] = replace(pair[unlabelled], counts=counts)
    found = compare_scores(*pair, anyway=True)
    assert len(found.images) == 39 and np.isfinite(found.images).all()
    assert found.mean_iou == Difference(0, (0, 0), 1)


def test_names_that_tables_escape_are_the_same_images():
    first, second = scores("a", drawn(0, 9)), scores("b", drawn(0, 9))
    live, stored = (
        ImageCounts(tuple(f"{sign}{i}a" for i in range(9)), first.counts.values)
        for sign in ("-", "'-")
    )
    found = compare_scores(replace(first, counts=live), replace(second, counts=stored))
    assert found.mean_iou.value == 0


def test_other_classes_and_images_are_always_refused():
    first = scores("a", drawn(0))
    with pytest.raises(ConfigError, match="expected equal classes"):
        compare_scores(first, replace(first, classes=("x", "y", "z")), anyway=True)
    with pytest.raises(ConfigError, match="on other images"):
        compare_scores(first, scores("b", drawn(0, 39)), anyway=True)


def test_files_hold_the_comparison(tmp_path):
    found = compare_scores(scores("a", drawn(0)), scores("b", drawn(1), digest="1"), anyway=True)
    assert all(path.is_file() for path in write_comparisons(tmp_path, [found]))
    stored = json.loads((tmp_path / "comparison.json").read_text())
    assert stored == [json.loads(json.dumps(found.to_dict(), allow_nan=False))]
    rows = (tmp_path / "images.csv").read_text().splitlines()
    assert len(rows) == 41 and all("the labels differ" in row for row in rows[1:])


def test_damaged_results_are_named(tmp_path):
    with pytest.raises(DataError, match=r"metrics\.json"):
        read_scores(tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match="the files are damaged"):
        read_scores(tmp_path / "metrics.json")
    metrics = {"per_class": {"sky": {}}, "protocol": "", "labels_digest": ""}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    for row in ("a,,1", "a,,1,2,x", f"a,,1,2,{2**70}", f"a,,1,2,{'3' * 200_000}"):
        (tmp_path / "per_image.csv").write_text(f"header\n{row}\n")
        with pytest.raises(DataError, match="the files are damaged"):
            read_scores(tmp_path)
    (tmp_path / "per_image.csv").write_text("header\na,,1,2,3\n")
    assert read_scores(tmp_path).counts.values.tolist() == [[[1, 2, 3]]]
