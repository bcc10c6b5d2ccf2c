"""Answers in parts, against the whole forward of torch itself."""

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from fullconv.inference.planner import Plan, plan, plan_parts
from fullconv.inference.planner import memory_cost as needs
from fullconv.inference.tiling import PredictedRegion, stream, verify
from random_networks import CLASSES, photo, random_network

SMALL = {"width": 1 / 32, "hidden": 8}


def whole(network, image):
    with torch.inference_mode():
        return network(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0]


def together(network, image, planned, **how):
    """All parts of an answer put together: labels and scores, and the windows."""
    height, width = planned.result
    labels = np.full((height, width), 255, np.uint8)
    score = torch.full((CLASSES, height, width), float("nan"))
    windows = []
    for part in stream(network, lambda w: image[w.slices], planned, scores=True, **how):
        assert isinstance(part, PredictedRegion) and part.labels.dtype == np.uint8
        assert (labels[part.window.slices] == 255).all(), "a pixel is answered once"
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
def test_parts_of_any_size_are_the_whole(name, settings):
    network = random_network(name, **settings)
    draw = random.Random(name)
    for size in [(1, 1), *((draw.randint(1, 150), draw.randint(1, 150)) for _ in range(2))]:
        image = photo(*size)
        true = whole(network, image)
        rows, columns = draw.randint(1, size[0]), draw.randint(max(1, size[1] // 3), size[1])
        planned = Plan("strips", True, size, rows, columns)
        labels, score, windows = together(network, image, planned)
        assert (score - true).abs().max() <= 1e-5 * true.abs().max()
        assert (labels == true.argmax(0).numpy()).all()
        assert all(w.width == size[1] for w in windows)


def test_nothing_is_at_the_seams():
    """The error has no larger values where strips or bands meet than anywhere else."""
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(160, 120)
    _, score, _ = together(network, image, Plan("strips", True, (160, 120), 16, 40))
    error = (score - whole(network, image)).abs().amax(0)
    assert error.max() <= 1e-5 * score.abs().max()
    image[:50] = 255 - image[:50]  # what is far above a strip has no influence on it
    _, other, _ = together(network, image, Plan("strips", True, (160, 120), 16, 40))
    limit = 50 + 404 // 2 + 64
    assert limit > 160 or torch.equal(score[:, limit:], other[:, limit:])


def test_rows_can_be_answered_by_themselves():
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(150, 70)
    true = whole(network, image)
    asked = []

    def read(window):
        asked.append(window)
        return image[window.slices]

    planned = Plan("strips", True, (150, 70), 32, 35)
    parts = list(stream(network, read, planned, rows=(60, 64), scores=True))
    assert parts[0].window.top == 60
    found = torch.cat([part.score for part in parts], 1)
    assert (found - true[:, 60:64]).abs().max() <= 1e-5 * true.abs().max()
    assert [w.top for w in asked] == sorted(w.top for w in asked)
    assert all(a.bottom == b.top for a, b in pairwise(asked))
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


def test_scores_are_scaled_in_parts_as_they_are_as_a_whole():
    network = random_network("fcn8s-vgg16", **SMALL)
    image = photo(64, 48)
    true = nn.functional.interpolate(whole(network, image)[None], (201, 150), mode="bilinear")[0]
    for kind, rows, overlap in [("whole", 64, 0), ("strips", 16, 0), ("tiles", 64, 32)]:
        planned = Plan(kind, True, (64, 48), rows, 48, answer=(201, 150), overlap=overlap)
        labels, score, _ = together(network, image, planned)
        assert (score - true).abs().max() <= 1e-5 * true.abs().max()
        assert (labels == true.argmax(0).numpy()).all()


class Brightness(nn.Module):
    """Sees the whole image: how much brighter a pixel is than all the others."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1))

    def forward(self, image):
        return (image.mean(1, keepdim=True) - image.mean((1, 2, 3), keepdim=True)) * self.weight


def test_a_network_that_sees_the_whole_image_is_told_apart():
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


def test_a_network_that_sees_all_of_a_small_image_is_exact_there():
    network = Brightness().eval()
    image = photo(40, 50)
    found = verify(network, image)
    assert found.exact and found.largest == 0 and found.parts == 1


def test_verifying_compares_parts_with_the_whole():
    network = random_network("fcn8s-vgg16", **SMALL)
    found = verify(network, photo(200, 90))
    assert found.exact and found.size == (200, 90) and found.parts > 1
    assert 0 <= found.largest <= 1e-5 and found.labels == 0
    assert "200 x 90 pixels, whole and in" in str(found)


def test_verifying_takes_the_part_that_fits(monkeypatch):
    monkeypatch.setattr(needs, "FIXED", 64 * 2**20)
    network = random_network("fcn32s-vgg11", width=1 / 8, hidden=8)
    found = verify(network, photo(900, 1200), "100MiB")
    assert found.size[0] < 900 and found.size[1] < 1200 and found.largest <= 1e-5


def test_verifying_finds_a_difference():
    """A network that counts its calls answers differently each time."""

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


def test_images_of_more_bands_are_read():
    network = nn.Sequential(nn.Conv2d(5, 3, 3, padding=1)).eval()
    image = np.random.default_rng(0).integers(0, 999, (60, 40, 5)).astype(np.uint16)
    true = network(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None])[0]
    planned = Plan("strips", True, (60, 40), 16, 40, bands=5)
    parts = list(stream(network, lambda w: image[w.slices], planned, scores=True))
    found = torch.cat([part.score for part in parts], 1)
    assert (found - true).abs().max() <= 1e-5 * true.abs().max()
