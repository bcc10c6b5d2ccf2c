import numpy as np
import pytest
import torch
from PIL import Image

import fullconv as fc
from fullconv.errors import ConfigError, ImageError
from fullconv.inference.planner import memory_cost as needs
from fullconv.inference.predictor import predict
from fullconv.io.images import read_mask

CLASSES = ("sky", "road", "car")


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch):
    """Reduce the fixed memory, so that even small images exceed a budget."""
    monkeypatch.setattr(needs, "FIXED", 64 * 2**20)
    monkeypatch.setattr(needs, "SLACK", 1.2)
    monkeypatch.setattr(needs, "SCATTER", 1)


class Brightness(torch.nn.Module):
    """A network that predicts class 0 for dark, 1 for medium and 2 for bright pixels."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.0, 127.0, 255.0]))

    def forward(self, image):
        return -(image.mean(1, keepdim=True) - self.weight.view(1, 3, 1, 1)).abs() / 20


def photo(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 3 :] = 127
    image[:, 2 * width // 3 :] = 255
    return image


def prediction(height=30, width=60, size=None):
    return predict(Brightness(), photo(height, width), CLASSES, size=size)


def test_each_pixel_has_its_class():
    labels = prediction().labels
    assert labels.shape == (30, 60) and labels.dtype == np.uint8
    assert (
        (labels[:, :20] == 0).all()
        and (labels[:, 20:40] == 1).all()
        and (labels[:, 40:] == 2).all()
    )


def test_probabilities_and_areas_sum_to_one():
    found = prediction()
    assert np.allclose(found.probabilities.sum(0), 1) and found.probabilities.shape == (3, 30, 60)
    assert found.areas == pytest.approx({name: 1 / 3 for name in CLASSES})


def test_a_large_photo_is_predicted_at_its_own_size():
    labels = prediction(301, 601, size=(100, 100)).labels
    assert labels.shape == (301, 601)
    assert (labels[:, :180] == 0).all() and (labels[:, 420:] == 2).all()


def test_the_overlay_has_a_legend():
    found = prediction(200, 300)
    assert found.overlay(legend=False).shape == (200, 300, 3)
    assert found.overlay().shape[0] > 200 and found.overlay().shape[1] == 300


def test_saved_labels_are_read_back(tmp_path):
    prediction().save(tmp_path / "a.png")
    assert (read_mask(tmp_path / "a.png") == prediction().labels).all()


def test_photos_can_be_paths_arrays_and_pil_images(tmp_path):
    network = fc.create_model("fcn32s-vgg11", 3, width=1 / 32, hidden=8)
    model = fc.Model(network, CLASSES)
    Image.fromarray(photo(9, 12)).save(tmp_path / "a.png")
    sources = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        photo(9, 12),
        Image.fromarray(photo(9, 12)),
    ]
    assert all(model.predict(source).labels.shape == (9, 12) for source in sources)
    assert model.predict(photo(9, 12)[..., 0]).labels.shape == (9, 12)


@pytest.mark.parametrize("wrong", [photo(4, 4) / 255, np.zeros((3, 4, 4), np.uint8), 7, None])
def test_other_objects_are_refused(wrong):
    model = fc.Model(fc.create_model("fcn32s-vgg11", 3, width=1 / 32, hidden=8), CLASSES)
    with pytest.raises(ImageError, match="expected"):
        model.predict(wrong)


def random_network():
    network = fc.create_model("fcn8s-vgg11", 3, width=1 / 16, hidden=16).eval()
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return network


def random_photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "scale"), [(None, 1.0), ((900, 900), 1.0), (None, 0.75), (None, 1.25)]
)
def test_tiled_prediction_gives_the_same_labels(size, scale):
    network, image = random_network(), random_photo(1100, 900)
    fitted = {"size": size, "input_scale": scale}
    whole = predict(network, image, CLASSES, **fitted)
    parts = predict(network, image, CLASSES, **fitted, memory="98MiB", scores=True)
    assert (whole.plan.kind, parts.plan.kind) == ("whole", "strips")
    assert (whole.labels == parts.labels).all()
    assert (whole.score - parts.score).abs().max() <= 1e-5 * whole.score.abs().max()
    assert parts.note == "" and parts.disagreement is None


def test_scores_of_strips_are_kept_only_on_request():
    found = predict(random_network(), random_photo(1100, 900), CLASSES, memory="98MiB")
    assert found.score is None and found.labels.shape == (1100, 900)
    assert sum(found.areas.values()) == pytest.approx(1)
    with pytest.raises(ConfigError, match="scores=True"):
        found.probabilities  # noqa: B018


def test_scores_that_exceed_the_memory_are_refused():
    with pytest.raises(ConfigError, match=r"3 classes at 3000 x 3000 pixels take 111.6 MiB"):
        predict(random_network(), random_photo(3000, 3000), CLASSES, memory="102MiB", scores=True)


def test_the_note_states_where_tiles_disagree():
    network = fc.create_model("fcn32s-mobilenet_v3_small", 3).eval()
    torch.nn.init.normal_(network.score_fr.weight)
    found = predict(network, random_photo(1600, 1500), CLASSES, memory="110MiB")
    assert found.plan.kind == "tiles" and not found.plan.exact
    assert "pools over the whole image" in found.note and "disagree at" in found.note
    assert 0 <= found.disagreement <= 1 and found.labels.max() < 3
