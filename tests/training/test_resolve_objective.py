"""Loss and class weights follow from how rare the classes are, unless they are set."""

import numpy as np
import pytest

import fullconv as fc
from fullconv.data.labels.class_weights import count_images
from fullconv.data.sample import Data, Sample
from fullconv.training.initial_model import initial_model
from fullconv.training.recipes import with_recipe
from fullconv.training.resolve_objective import rare_classes, resolve_objective
from fullconv.training.trainer import Trainer
from toy_training import CONFIG

OPEN = fc.TrainConfig(loss="auto", balance="auto")


def masks(*shares):
    """Return data whose classes have these shares of 1,000 pixels."""
    counts = [round(1000 * share) for share in shares]
    labels = np.repeat(np.arange(len(counts)), counts).reshape(25, 40).astype(np.uint8)
    classes = tuple(f"c{i}" for i in range(len(counts)))
    palette = tuple((i, i, i) for i in range(len(counts)))
    image = np.zeros((25, 40, 3), np.uint8)
    read = lambda index: Sample(image, labels, f"n{index}")  # noqa: E731
    return Data("drawn", None, classes, palette, ("n0", "n1"), read)


@pytest.mark.parametrize(
    ("shares", "rare"),
    [
        ((0.95, 0.05), []),
        ((0.951, 0.049), ["c1"]),
        ((0.9, 0.06, 0.04, 0.0), ["c2"]),  # a class without pixels cannot be learned
        ((1.0,), []),
    ],
)
def test_a_class_is_rare_below_five_percent_of_the_pixels(shares, rare):
    data = masks(*shares)
    counts = count_images(data)[:, : len(data.classes)]
    assert rare_classes(counts, data.classes) == rare


def test_a_class_that_may_occur_in_masks_that_were_not_counted_is_rare():
    counts = np.array([[900, 60, 40, 0]])
    classes = ("a", "b", "c", "d")
    assert rare_classes(counts, classes, complete=False) == ["c", "d"]
    assert rare_classes(0 * counts, classes, complete=False) == []


def test_of_many_masks_those_that_are_not_counted_are_expected_to_hold_the_rest(monkeypatch):
    monkeypatch.setattr("fullconv.data.labels.class_weights.MAX_SAMPLES", 1)
    config, notes = resolve_objective(OPEN, masks(0.6, 0.4, 0.0))
    assert config.balance == "enet" and "c2 is below 5 %" in " ".join(notes)


def test_rare_classes_get_weights_and_a_loss_of_overlap():
    config, notes = resolve_objective(OPEN, masks(0.97, 0.03))
    assert (config.loss, config.balance) == ("cross-entropy+0.5*dice", "enet")
    assert config.logit_adjust == 0.75
    assert len(notes) == 2 and all("c1 is below 5 %" in note and "--" in note for note in notes)
    assert resolve_objective(config, masks(0.5, 0.5)) == (config, ())  # decided once


def test_a_mask_with_a_filled_outline_is_said():
    labels = [np.zeros((10, 100), np.uint8) for _ in range(15)]
    for number, mask in enumerate(labels):
        mask.flat[: 350 if number == 8 else 10 + number % 5] = 1
    image = np.zeros((10, 100, 3), np.uint8)
    names = tuple(f"n{index}" for index in range(15))
    read = lambda index: Sample(image, labels[index], names[index])  # noqa: E731
    data = Data("drawn", None, ("road", "crack"), ((0, 0, 0), (1, 1, 1)), names, read)
    _, notes = resolve_objective(OPEN, data)
    expected = "look at the mask of n8: 35 % of it is crack, of the others about 1.2 %"
    assert [note for note in notes if note.startswith(expected)]
    labels[8].flat[:350] = 0
    assert not [note for note in resolve_objective(OPEN, data)[1] if "look at" in note]


def test_without_rare_classes_both_are_plain():
    config, notes = resolve_objective(OPEN, masks(0.5, 0.5))
    assert (config.loss, config.balance, config.logit_adjust) == ("cross-entropy", "none", 0)
    assert notes == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loss": "focal"}, ("focal", "enet", 0.75)),
        ({"loss": "dice"}, ("dice", "none", 0)),  # takes no weights
        ({"balance": "none"}, ("cross-entropy+0.5*dice", "none", 0)),
        ({"logit_adjust": 0.2}, ("cross-entropy+0.5*dice", "enet", 0.2)),
        ({"logit_adjust": 0.0}, ("cross-entropy+0.5*dice", "enet", 0)),
        ({"learn_upsampling": True}, ("cross-entropy+0.5*dice", "none", 0)),
        ({"upsampling": "unpooling"}, ("cross-entropy+0.5*dice", "none", 0)),
        ({"final_loss": "lovasz"}, ("cross-entropy+0.5*dice", "enet", 0)),
        ({"final_loss": "lovasz+focal"}, ("cross-entropy+0.5*dice", "enet", 0.75)),
    ],
)
def test_what_is_set_is_kept(changes, expected):
    config, _ = resolve_objective(OPEN.model_copy(update=changes), masks(0.97, 0.03))
    assert (config.loss, config.balance, config.logit_adjust) == expected


def test_the_modern_recipe_leaves_both_open_and_a_trainer_decides_them():
    assert with_recipe({})["balance"] == with_recipe({})["loss"] == "auto"
    assert "balance" not in with_recipe({"recipe": "heavy"})
    config = CONFIG.model_copy(update={"loss": "auto", "balance": "auto"})
    data = masks(0.97, 0.03)
    trainer = Trainer(initial_model(config, data), data, config)
    assert trainer.config.balance == "enet" and trainer.loss.weights is not None
