"""A teacher's predictions: computed once, augmented as the photo is, learned beside the labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fullconv.data.batches import collate
from fullconv.data.transforms import fitted, vary
from fullconv.errors import ConfigError, DataError
from fullconv.training import teacher as module
from fullconv.training.sampler import AugmentedDataset
from fullconv.training.target import cross_entropy, soft_cross_entropy, soft_weight
from fullconv.training.teacher import open_teacher
from toy_training import CONFIG, equal, make_trainer, state, toy_data


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Settings with a teacher that knows little, and an empty cache."""
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path / "cache"))
    trainer = make_trainer(CONFIG.model_copy(update={"seed": 5}))
    list(trainer.run())
    trainer.model.save(tmp_path / "teacher.safetensors")
    return CONFIG.model_copy(update={"teacher": str(tmp_path / "teacher.safetensors")})


def files(tmp_path):
    return sorted((tmp_path / "cache" / "teachers").rglob("*.z"))


def test_predictions_are_computed_once_and_what_was_interrupted_goes_on(config, tmp_path):
    data = toy_data()
    first = open_teacher(config, data).prepare()
    assert next(first) == 3
    first.close()
    stored = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert len(stored) == 1
    assert [*open_teacher(config, data).prepare()] == [2, 1, 0]
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    assert not [*open_teacher(config, data).prepare()] and len(files(tmp_path)) == 4


def test_they_are_the_averaged_probabilities(config):
    data = toy_data()
    teacher = open_teacher(config, data)
    list(teacher.prepare())
    plain = config.model_copy(update={"flip": False, "zoom": (1.0, 1.0), "crop": "whole"})
    teacher._config = plain
    found = teacher.varied(fitted(data[1], plain), 0, 1)
    expected = teacher._model.predict(data[1].image, tta=True).probabilities
    assert found.shape == (32, 32, 2)
    assert np.abs(found / 255 - expected.transpose(1, 2, 0)).max() < 0.01


@pytest.mark.parametrize(
    "change", [{}, {"rotate": 20.0}, {"zoom": (0.5, 2.0), "turn": True}, {"class_crops": 1.0}]
)
def test_they_are_moved_as_the_labels_are(config, change):
    """A teacher that gives the labels themselves gives them after any augmentation."""
    data, config = toy_data(), config.model_copy(update=change)
    teacher = open_teacher(config, data)
    list(teacher.prepare())
    hot = np.eye(2, dtype=np.uint8)[data[0].labels] * 255
    for path in sorted(teacher.folder.iterdir()):
        path.write_bytes(module.zlib.compress(hot.tobytes()))
    for epoch in range(6):
        sample = fitted(data[2], config)
        varied, soft = vary(sample, config, epoch, 2), teacher.varied(sample, epoch, 2)
        known = varied.labels != 255
        clear = known & (np.abs(soft[..., 0].astype(int) - soft[..., 1]) > 200)
        assert clear.sum() > 0.7 * known.sum()
        assert (soft.argmax(-1)[clear] == varied.labels[clear]).all()


def test_a_teacher_that_gives_the_labels_is_the_cross_entropy():
    score, labels = torch.randn(2, 3, 5, 6), torch.randint(3, (2, 5, 6))
    labels[0, 0] = 255
    soft = torch.nn.functional.one_hot(labels.where(labels < 3, 0), 3).permute(0, 3, 1, 2) * 255
    for weights in (None, torch.tensor([1.0, 2.0, 0.5])):
        total = soft_cross_entropy(score, soft.byte(), labels, weights)
        weight = soft_weight(soft.byte(), labels, weights)
        torch.testing.assert_close(total / weight, cross_entropy(score, labels, weights))


def test_the_loss_has_the_teachers_share_and_the_training_repeats(config):
    trainer, alone = make_trainer(config), make_trainer(CONFIG)
    steps, others = list(trainer.run()), list(alone.run())
    # Scores are 0 at first, so both parts of the loss are ln 2.
    assert steps[0].loss == pytest.approx(others[0].loss, abs=1e-4)
    assert not equal(state(trainer), state(alone))
    again = make_trainer(config)
    list(again.run())
    assert equal(state(trainer), state(again))


def test_parts_of_a_batch_have_the_same_loss(config):
    whole, parts = make_trainer(config), make_trainer(config.model_copy(update={"accumulate": 2}))
    first, second = next(whole.run()), next(parts.run())
    assert first.loss == pytest.approx(second.loss, rel=1e-4)


@pytest.mark.parametrize(
    "change", [{"loss": "cross-entropy-sum"}, {"final_loss": "lovasz+cross-entropy-sum"}]
)
def test_a_loss_that_is_a_sum_is_refused_beside_a_teacher(config, change):
    with pytest.raises(ConfigError, match=r"loss is '.*', a sum over pixels.* cross-entropy, or"):
        make_trainer(config.model_copy(update=change))
    make_trainer(CONFIG.model_copy(update=change))


def test_padded_samples_have_no_soft_labels_outside(config):
    data = toy_data()
    dataset = AugmentedDataset(data, config, teacher=open_teacher(config, data))
    list(dataset.teacher.prepare())
    sample = dataset[(0, 0)]
    small = replace(sample, image=sample.image[:9], labels=sample.labels[:9], soft=sample.soft[:9])
    batch = collate([sample, small])
    assert batch.soft.shape == (2, 2, 32, 32) and not batch.soft[1, :, 9:].any()
    assert (batch.labels[1, 9:] == 255).all()


def test_another_teacher_than_at_the_start_is_refused(config):
    with pytest.raises(ConfigError, match="changed since this run was started"):
        open_teacher(config.model_copy(update={"teacher_fingerprint": "0" * 16}), toy_data())


def test_a_teacher_of_other_classes_is_refused(config):
    with pytest.raises(DataError, match="use a teacher with the classes"):
        open_teacher(config, replace(toy_data(), classes=("dark", "light")))


def test_a_damaged_file_is_a_sentence(config, tmp_path):
    data = toy_data()
    teacher = open_teacher(config, data)
    list(teacher.prepare())
    files(tmp_path)[0].write_bytes(b"x")
    with pytest.raises(ConfigError, match="missing or damaged; delete the folder, and resume"):
        teacher.varied(fitted(data[0], config), 0, 0)


def test_the_oldest_teachers_are_removed_beyond_the_bound(config, tmp_path, monkeypatch):
    list(open_teacher(config, toy_data()).prepare())
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    other = open_teacher(config, toy_data(3))
    list(other.prepare())
    assert {path.parent for path in files(tmp_path)} == {other.folder}


def test_files_and_folders_beside_the_teachers_are_left_alone(config, tmp_path, monkeypatch):
    stray = tmp_path / "cache" / "teachers" / "notes.txt"
    stray.parent.mkdir(parents=True)
    stray.write_text("mine")
    (stray.parent / "mine").mkdir()
    (stray.parent / "mine" / "photo.png").write_text("mine")
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    list(open_teacher(config, toy_data()).prepare())
    assert stray.read_text() == "mine" and len(files(tmp_path)) == 4
    assert (stray.parent / "mine" / "photo.png").read_text() == "mine"


@pytest.mark.parametrize("stop", [1, 4])
def test_a_resumed_training_ends_in_the_same_weights(config, tmp_path, stop):
    config = config.model_copy(update={"final_loss": "lovasz", "final_loss_share": 0.5})
    whole = make_trainer(config)
    list(whole.run())
    part = make_trainer(config)
    for step in part.run():
        if step.number == stop:
            break
    part.save(tmp_path / "last.safetensors")
    resumed = make_trainer(config)
    resumed.restore(tmp_path / "last.safetensors")
    list(resumed.run())
    assert equal(state(resumed), state(whole))
