"""One optimization step: gradients of the whole batch, clipped, always finite."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.data.batches import Batch
from fullconv.errors import DivergedError
from toy_training import CONFIG, make_trainer, state, toy_data


def test_a_non_finite_loss_does_not_reach_the_weights():
    trainer = make_trainer()
    with torch.no_grad():
        trainer.model.network.score_fr.bias.fill_(float("inf"))
    before = state(trainer)
    with pytest.raises(DivergedError, match=r"step 1, on the samples n\d, n\d") as caught:
        list(trainer.run())
    after = state(trainer)
    assert caught.value.exit_code == 3
    assert all(
        torch.equal(before[k], after[k]) for k in before if "running" not in k and "num" not in k
    )


def test_ignored_pixels_only_change_norm_statistics():
    void = toy_data()
    blank = replace(void, read=lambda i: replace(void[i], labels=np.full((32, 32), 255, np.uint8)))
    trainer = make_trainer(
        CONFIG.model_copy(update={"weight_decay": 0.0, "optimizer": "sgd"}), blank
    )
    before = dict(trainer.model.network.named_parameters())["backbone.conv1_1.weight"].clone()
    assert {step.loss for step in trainer.run()} == {0.0}
    assert torch.equal(before, trainer.model.network.backbone.conv1_1.weight)


def test_gradient_accumulation_equals_the_whole_batch():
    config = fc.TrainConfig(
        model="fcn8s-vgg11", width=1 / 16, hidden=16, batch=4, epochs=1, optimizer="sgd", lr=0.1
    )
    whole, parts = make_trainer(config), make_trainer(config.model_copy(update={"accumulate": 4}))
    for trainer in (whole, parts):
        trainer.model.network.eval()  # dropout differs for each part
        trainer.model.network.train = lambda mode=True: None
        list(trainer.run())
    for name, value in state(whole).items():
        torch.testing.assert_close(state(parts)[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weights", [None, (0.5, 3.0)])
def test_parts_with_a_teacher_equal_the_whole_batch_whatever_is_ignored(weights):
    torch.manual_seed(0)
    labels = torch.randint(2, (2, 32, 32))
    labels[1, :30] = 255  # most of the second image
    image = 255 * torch.rand(2, 3, 32, 32, dtype=torch.float64)
    soft = torch.randint(256, (2, 2, 32, 32), dtype=torch.uint8)
    batch = Batch(image, labels, ("n0", "n1"), soft)
    gradients = []
    for parts in (1, 2):
        config = CONFIG.model_copy(update={"model": "fcn32s-vgg11", "accumulate": parts})
        trainer = make_trainer(config)
        network = trainer.model.network.double().eval()
        torch.manual_seed(1)
        torch.nn.init.normal_(network.score_fr.weight, std=0.1)
        step = trainer._train_step
        if weights:
            step.loss = replace(step.loss, weights=torch.tensor(weights))
        step._compute_gradients(batch, 0)
        gradients.append({name: p.grad for name, p in network.named_parameters()})
    whole, divided = gradients
    for name, expected in whole.items():
        if expected is not None:
            torch.testing.assert_close(
                divided[name], expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item()
            )


def test_gradients_are_clipped_by_their_global_norm():
    config = CONFIG.model_copy(
        update={"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": 1e-3, "lr": 1.0}
    )
    trainer = make_trainer(config)
    before = [p.detach().clone() for p in trainer.model.network.parameters()]
    next(trainer.run())
    moved = [p - b for p, b in zip(trainer.model.network.parameters(), before, strict=True)]
    assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_a_non_finite_gradient_does_not_reach_the_weights():
    trainer = make_trainer()
    before = state(trainer)
    trainer.model.network.score_fr.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergedError, match=r"gradient.*step 1.*n\d.*--lr"):
        list(trainer.run())
    weights = [name for name, _ in trainer.model.network.named_parameters()]
    assert all(torch.equal(state(trainer)[name], before[name]) for name in weights)


def test_a_backbone_with_multiplier_zero_is_frozen():
    trainer = make_trainer(CONFIG.model_copy(update={"backbone_lr_mult": 0.0}))
    before = state(trainer)
    list(trainer.run())
    same = {name: torch.equal(value, before[name]) for name, value in state(trainer).items()}
    assert same["backbone.conv1_1.weight"] and not same["score_fr.weight"]


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"channels_last": True}])
def test_bf16_and_channels_last_approximate_the_default(changes):
    plain, other = make_trainer(), make_trainer(CONFIG.model_copy(update=changes))
    losses = [[step.loss for step in trainer.run()] for trainer in (plain, other)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert all(value.dtype != torch.bfloat16 for value in state(other).values())
