"""Models of several heads: SIFT Flow's semantic and geometric labels in one network."""

import numpy as np
import pytest
import torch
from torch import nn

import fullconv as fc
import fullconv.model.segmenter
from fullconv.config import Head, TrainConfig
from fullconv.data.batches import collate
from fullconv.data.sample import Sample
from fullconv.data.transforms import Crop, Flip, Rotate, Turn, Zoom, ZoomedCrop
from fullconv.errors import ConfigError, DataError, UnknownNameError
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion
from fullconv.training.initial_model import initial_model
from siftflow_folder import write_siftflow

HEADS = (
    Head(name="thing", classes=("sky", "tree", "road"), palette=((0, 0, 0), (0, 9, 0), (9, 9, 9))),
    Head(name="shape", classes=("flat", "tall"), palette=((0, 0, 0), (255, 0, 0))),
)
TINY = {"width": 1 / 16, "hidden": 4}


@pytest.fixture
def model():
    network = fc.create_model("fcn32s-vgg11", 5, **TINY).eval()
    nn.init.normal_(network.score_fr.weight)
    nn.init.normal_(network.score_fr.bias)
    return fc.Model(network, HEADS[0].classes, HEADS[0].palette, heads=HEADS)


@pytest.fixture
def flow(tmp_path):
    return write_siftflow(tmp_path)


def test_each_head_has_its_labels(model):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    prediction = model.predict(image)
    assert list(prediction.heads) == ["thing", "shape"]
    assert prediction.classes == HEADS[0].classes
    for head in HEADS:
        found, alone = prediction.heads[head.name], model.head(head.name).predict(image)
        assert found.classes == alone.classes == head.classes
        assert found.palette == head.palette
        assert (found.labels == alone.labels).all()
        assert torch.allclose(found.score, alone.score, atol=1e-4)
    assert (prediction.labels == prediction.heads["thing"].labels).all()


@pytest.mark.parametrize(
    ("size", "memory", "kind"), [((40, 50), None, "whole"), ((200, 300), "80MiB", "strips")]
)
def test_heads_may_have_more_scores_than_labels_have_values(size, memory, kind):
    many = tuple(
        Head(name=name, classes=tuple(map(str, range(count))), palette=((0, 0, 0),) * count)
        for name, count in (("few", 100), ("most", 200))
    )
    network = fc.create_model("fcn32s-vgg11", 300, **TINY).eval()
    nn.init.normal_(network.score_fr.weight)
    nn.init.normal_(network.score_fr.bias)
    model = fc.Model(network, many[0].classes, many[0].palette, heads=many)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = model.predict(image, memory=memory)
    assert found.plan.kind == kind
    with torch.inference_mode():
        score = network(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0]
    assert (found.heads["few"].labels == score[:100].argmax(0).numpy()).mean() > 0.999
    assert (found.heads["most"].labels == score[100:].argmax(0).numpy()).mean() > 0.999


def test_parts_give_the_same_labels(model):
    image = np.random.default_rng(0).integers(0, 256, (700, 500, 3), dtype=np.uint8)
    whole, parts = model.predict(image), model.predict(image, memory="48MiB")
    assert parts.plan.kind == "strips"
    assert parts.heads["shape"].score is None
    for name in whole.heads:
        assert (whole.heads[name].labels == parts.heads[name].labels).mean() > 0.9999


def test_one_file_holds_all_heads(model, tmp_path):
    model.save(tmp_path / "both.safetensors")
    opened = fc.load(tmp_path / "both.safetensors")
    assert opened.heads == HEADS
    opened.head("shape").save(tmp_path / "shape.safetensors")
    assert fc.load(tmp_path / "shape.safetensors").classes == ("flat", "tall")


def test_weights_are_taken_by_head_and_class(model, tmp_path):
    model.save(tmp_path / "both.safetensors")
    network = fc.create_model("fcn32s-vgg11", 5, **TINY)
    swapped = ("shape: tall", "shape: flat", "thing: sky", "thing: tree", "thing: road")
    fc.load_weights(network, tmp_path / "both.safetensors", classes=swapped)
    expected = model.network.score_fr.weight[[4, 3, 0, 1, 2]]
    assert torch.equal(network.score_fr.weight, expected)


def test_what_takes_one_head_says_so(model):
    with pytest.raises(ConfigError, match="the heads thing, shape; choose one with --head"):
        model.one_head(None)
    with pytest.raises(ConfigError, match="the heads thing, shape; fullconv serve takes models of"):
        model.check_photos("fullconv serve")
    with pytest.raises(UnknownNameError, match="'shap'"):
        model.one_head("shap")
    with pytest.raises(ConfigError, match="has one head"):
        model.head("shape").one_head("shape")


def test_test_time_augmentation_averages_each_head(model):
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    together = model.predict(image, scales=(1, 0.5))
    for head in HEADS:
        alone = model.head(head.name).predict(image, scales=(1, 0.5))
        assert (together.heads[head.name].labels == alone.labels).all()
        assert torch.allclose(together.heads[head.name].score, alone.score, atol=1e-4)
    sums = together.heads["shape"].probabilities.sum(0)
    assert np.allclose(sums, 1, atol=1e-5)


def test_all_heads_are_evaluated_in_one_pass(flow, monkeypatch):
    data = fc.open_data(f"siftflow:{flow}?head=semantic,geometric")
    network = fc.create_model("fcn32s-vgg11", 36, **TINY).eval()
    nn.init.normal_(network.score_fr.weight)
    model = fc.Model(network, data.classes, data.palette, heads=data.heads)
    passes = []
    predict = fullconv.model.segmenter.predict
    with monkeypatch.context() as patch:

        def counted(*given, **options):
            passes.append(1)
            return predict(*given, **options)

        patch.setattr(fullconv.model.segmenter, "predict", counted)
        found = fc.evaluate_heads(model, data)
    assert len(passes) == len(data)
    for name, head in found.heads.items():
        alone = fc.evaluate(model.head(name), data.head(name))
        assert (head.confusion.counts == alone.confusion.counts).all()
        assert head.protocol == alone.protocol
    shares = [head.mean_iou for head in found.heads.values()]
    assert found.mean_iou == sum(shares) / 2
    values = found.to_dict()
    assert values["mean_iou"] == found.mean_iou
    assert values["heads"]["geometric"]["mean_iou"] == shares[1]
    with pytest.raises(ConfigError, match="the heads semantic, geometric; evaluate_heads"):
        fc.evaluate(model, data)
    with pytest.raises(DataError, match="labels of one head; expected those of the model"):
        fc.evaluate_heads(model, data.head("semantic"))
    with pytest.raises(DataError, match=r"the heads semantic, geometric.*, one head"):
        fc.evaluate(model.head("semantic"), data)


def test_a_head_without_labels_is_no_part_of_the_mean():
    right, empty = Confusion(1, np.array([[3, 1]])), Confusion(2)
    found = HeadMetrics({"a": right, "b": empty})
    assert found.mean_iou == 0.75
    assert found.paper_metrics()["a_mean_iou"] == 0.75
    assert np.isnan(found.paper_metrics()["b_mean_iou"])
    assert np.isnan(HeadMetrics({"b": empty}).mean_iou)
    assert [*HeadMetrics({"": right}).paper_metrics()] == [*right.paper_metrics()]


def test_heads_have_to_fit():
    network = fc.create_model("fcn32s-vgg11", 5, **TINY)
    with pytest.raises(ConfigError, match="two or more different names"):
        fc.Model(network, [f"{n}" for n in range(5)], heads=HEADS[:1])
    with pytest.raises(ConfigError, match="are not those of the first head"):
        fc.Model(network, ("a", "b", "c"), heads=HEADS)
    with pytest.raises(ConfigError, match="4 class names for a network of 5"):
        fc.Model(network, ("a", "b"), heads=HEADS)


def test_siftflow_has_labels_of_two_kinds(flow):
    both = fc.open_data(f"siftflow:{flow}?head=semantic,geometric")
    assert [head.name for head in both.heads] == ["semantic", "geometric"]
    sample = both[1]
    assert sample.labels[0, 0] == 255
    assert set(np.unique(sample.labels)) == {21, 27, 255}
    assert sample.others[0][0].tolist() == [255] * 32
    assert set(np.unique(sample.others[0])) == {0, 1, 255}
    alone = fc.open_data(f"siftflow:{flow}?head=geometric")
    assert alone.classes == ("sky", "horizontal", "vertical")
    assert (alone[1].labels == sample.others[0]).all()
    assert (both.head("geometric")[1].labels == sample.others[0]).all()
    assert (fc.open_data(f"siftflow:{flow}")[1].labels == sample.labels).all()
    with pytest.raises(DataError, match="expected semantic, geometric, or both"):
        fc.open_data(f"siftflow:{flow}?head=depth")


@pytest.mark.parametrize(
    "transform",
    [
        Flip(),
        Turn(True),
        Rotate(20),
        Zoom(0.5, 2),
        Crop((9, 30)),
        ZoomedCrop(Zoom(1, 2), Crop((8, 8))),
    ],
)
def test_augmentation_moves_all_labels_alike(transform):
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 3, (20, 20)).astype(np.uint8)
    sample = Sample(np.zeros((20, 20, 3), np.uint8), labels, "a", others=(labels,))
    for seed in range(4):
        moved = transform(sample, np.random.default_rng(seed))
        assert (moved.labels == moved.others[0]).all()
    assert collate([sample, sample]).labels.shape == (2, 2, 20, 20)


def test_training_learns_both_heads(flow):
    data = fc.open_data(f"siftflow:{flow}?head=semantic,geometric")
    settings = {"weights": "none", "width": 1 / 16, "hidden": 8, "steps": 12, "batch": 2}
    config = TrainConfig(**settings, lr=0.01, crop="whole", head_weights=(1, 0.5), size=(24, 32))
    model = initial_model(config.model_copy(update={"model": "fcn8s-vgg11_bn"}), data)
    assert model.network.classes == 36
    before = model.network.score_fr.weight.clone()
    losses = [step.loss for step in fc.train(model, data, config)]
    assert losses[-1] < losses[0]
    moved = (model.network.score_fr.weight != before).flatten(1).any(1)
    assert moved[:33].any()
    assert moved[33:].any()
    result = fc.evaluate(model.head("geometric"), data.head("geometric"))
    assert result.confusion.counts.shape[0] == 3


def test_training_refuses_what_mixes_heads(flow):
    data = fc.open_data(f"siftflow:{flow}?head=semantic,geometric")
    plain = {"weights": "none", "steps": 1, "width": 1 / 16, "hidden": 4}
    for settings, said in (
        ({"learn_upsampling": True}, "mix their scores"),
        ({"head_weights": (1,)}, "head_weights has 1 numbers; the data set has 2 heads"),
        ({"logit_adjust": 0.5, "balance": "enet"}, "logit_adjust is for one head"),
        ({"final_loss": "dice"}, "final_loss is for one head"),
    ):
        with pytest.raises(ConfigError, match=said):
            next(fc.train("fcn32s-vgg11", data, TrainConfig(**plain, **settings)))
