"""Tiled prediction, compared with the network's forward on the whole image."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from fullconv.inference.planner import Plan, memory_cost, plan, plan_parts
from fullconv.inference.tiling import PredictedRegion, stream, verify
from random_networks import CLASSES, photo, random_network

SMALL = {"width": 1 / 32, "hidden": 8}


def forward(network, image):
    with torch.inference_mode():
        return network(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0]


def assemble(network, image, planned, **options):
    """Assemble the parts of a prediction: labels, scores and windows."""
    height, width = planned.result
    labels = np.full((height, width), 255, np.uint8)
    score = torch.full((CLASSES, height, width), float("nan"))
    windows = []
    for part in stream(network, lambda w: image[w.slices], planned, scores=True, **options):
        assert isinstance(part, PredictedRegion) and part.labels.dtype == np.uint8
        assert (labels[part.window.slices] == 255).all(), "each pixel is predicted once"
        labels[part.window.slices] = part.labels
        score[:, *part.window.slices] = part.score
        windows.append(part.window)
    assert [w.top for w in windows] == sorted(w.top for w in windows)
    return labels, score, windows


@pytest.mark.parametrize(
    "name,settings",
    [
        ("fcn8s-vgg16", SMALL),
        ("fcn8s-vgg16", {**SMALL, "padding": 100}),
        ("fcn16s-vgg16_bn", SMALL),
        ("fcn32s-resnet18", {}),
        ("fcn8s-tf_efficientnet_lite0", {}),
    ],
)
def test_tiled_prediction_equals_the_whole_image_for_any_tile_size(name, settings):
    network = random_network(name, **settings)
    draw = random.Random(name)
    for size in [(1, 1), *((draw.randint(1, 150), draw.randint(1, 150)) for _ in range(2))]:
        image = photo(*size)
        expected = forward(network, image)
        rows, columns = draw.randint(1, size[0]), draw.randint(max(1, size[1] // 3), size[1])
        planned = Plan("strips", True, size, rows, columns)
        labels, score, windows = assemble(network, image, planned)
        assert (score - expected).abs().max() <= 1e-5 * expected.abs().max()
        assert (labels == expected.argmax(0).numpy()).all()
        assert all(w.width == size[1] for w in windows)


def test_there_is_no_error_at_the_seams():
    """The error is not larger where strips or bands meet than anywhere else."""
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(160, 120)
    _, score, _ = assemble(network, image, Plan("strips", True, (160, 120), 16, 40))
    error = (score - forward(network, image)).abs().amax(0)
    assert error.max() <= 1e-5 * score.abs().max()
    image[:50] = 255 - image[:50]  # outside the receptive field of the lower strips
    _, other, _ = assemble(network, image, Plan("strips", True, (160, 120), 16, 40))
    limit = 50 + 404 // 2 + 64
    assert limit > 160 or torch.equal(score[:, limit:], other[:, limit:])


def test_a_range_of_rows_can_be_predicted_alone():
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(150, 70)
    expected = forward(network, image)
    windows = []

    def read(window):
        windows.append(window)
        return image[window.slices]

    planned = Plan("strips", True, (150, 70), 32, 35)
    parts = list(stream(network, read, planned, rows=(60, 64), scores=True))
    assert parts[0].window.top == 60
    found = torch.cat([part.score for part in parts], 1)
    assert (found - expected[:, 60:64]).abs().max() <= 1e-5 * expected.abs().max()
    assert [w.top for w in windows] == sorted(w.top for w in windows)
    assert all(a.bottom == b.top for a, b in pairwise(windows))
    for kind in ("whole", "tiles"):
        others = list(
            stream(
                network,
                read,
                replace(planned, kind=kind, rows=96, columns=70, overlap=32),
                rows=(60, 64),
            )
        )
        assert sum(part.labels.size for part in others) == 4 * 70


def test_scores_are_upsampled_in_strips_as_in_the_whole_image():
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(64, 48)
    expected = nn.functional.interpolate(
        forward(network, image)[None], (201, 150), mode="bilinear"
    )[0]
    for kind, rows, overlap in [("whole", 64, 0), ("strips", 16, 0), ("tiles", 64, 32)]:
        planned = Plan(kind, True, (64, 48), rows, 48, resized=(201, 150), overlap=overlap)
        labels, score, _ = assemble(network, image, planned)
        assert (score - expected).abs().max() <= 1e-5 * expected.abs().max()
        assert (labels == expected.argmax(0).numpy()).all()


class Brightness(nn.Module):
    """A network with a global mean: how much brighter a pixel is than the image."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1))

    def forward(self, image):
        return (image.mean(1, keepdim=True) - image.mean((1, 2, 3), keepdim=True)) * self.weight


def test_a_network_with_global_pooling_gets_blended_tiles():
    network = Brightness().eval()
    image = photo(200, 300)
    image[:, 150:] //= 2
    planned = plan_parts(network, (200, 300))
    assert planned.kind == "tiles" and not planned.exact
    assert "mean over the whole image" in planned.note
    parts = list(stream(network, lambda w: image[w.slices], planned))
    compared, differing = parts[-1].seam
    assert 0 < differing < compared
    found = verify(network, image)
    assert not found.exact and found.largest > 1e-3 and found.labels > 0
    small = plan(network, (100, 100), "500MiB")
    assert small.kind == "whole" and small.note == ""


def test_a_network_with_global_pooling_is_exact_on_a_small_image():
    network = Brightness().eval()
    image = photo(40, 50)
    found = verify(network, image)
    assert found.exact and found.largest == 0 and found.parts == 1


def test_verify_compares_tiled_and_whole_image_prediction():
    network = random_network("fcn8s-vgg16", **SMALL)
    found = verify(network, photo(200, 90))
    assert found.exact and found.size == (200, 90) and found.parts > 1
    assert 0 <= found.largest <= 1e-5 and found.labels == 0
    assert "200 x 90 pixels, whole and in" in str(found)


def test_verify_uses_a_crop_that_fits_the_memory(monkeypatch):
    monkeypatch.setattr(memory_cost, "FIXED", 64 * 2**20)
    network = random_network("fcn32s-vgg11", width=1 / 8, hidden=8)
    found = verify(network, photo(900, 1200), "100MiB")
    assert found.size[0] < 900 and found.size[1] < 1200 and found.largest <= 1e-5


def test_verify_finds_a_difference():
    """A network whose scores change with each call."""

    class Drifting(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 3, 1, 1))
            self.calls = 0

        def forward(self, image):
            self.calls += 1
            return nn.functional.conv2d(image, self.weight) * self.calls

    found = verify(Drifting().eval(), photo(64, 64))
    assert found.largest > 0.01 or not found.exact


def test_images_with_more_bands_are_predicted():
    network = nn.Sequential(nn.Conv2d(5, 3, 3, padding=1)).eval()
    image = np.random.default_rng(0).integers(0, 999, (60, 40, 5)).astype(np.uint16)
    expected = network(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None])[0]
    planned = Plan("strips", True, (60, 40), 16, 40, bands=5)
    parts = list(stream(network, lambda w: image[w.slices], planned, scores=True))
    found = torch.cat([part.score for part in parts], 1)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
