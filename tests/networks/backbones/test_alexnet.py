"""AlexNet: FCN-AlexNet's published numbers follow from its layers."""

import pytest
import torch

from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convolutionalize import convolutionalize
from fullconv.networks.fcn import create_model

SMALL = {"width": 1 / 32, "hidden": 8}


def test_kernel_and_offset_of_the_authors_net_are_derived():
    """voc-fcn-alexnet: Deconvolution with kernel 63 and stride 32, cropped at 18."""
    network = create_model("fcn32s-alexnet", 21, padding=100, **SMALL)
    assert network.upscore.kernel_size == (63, 63) and network.upscore.stride == (32, 32)
    assert network.offsets() == (18,)


def test_shapes_of_caffenets_blobs():
    shapes = {
        name: tuple(value.shape) for name, value in create_classifier("alexnet").named_parameters()
    }
    assert shapes["conv1.weight"] == (96, 3, 11, 11)
    assert shapes["conv2.weight"] == (256, 48, 5, 5)  # two groups
    assert shapes["conv3.weight"] == (384, 256, 3, 3)
    assert shapes["conv4.weight"] == (384, 192, 3, 3)
    assert shapes["conv5.weight"] == (256, 192, 3, 3)
    assert shapes["fc6.weight"] == (4096, 9216)
    assert create_classifier("alexnet", groups=1).conv2.weight.shape == (256, 96, 5, 5)


@torch.no_grad()
def test_scores_at_its_own_size_and_on_a_larger_image():
    classifier = create_classifier("alexnet", 10, **SMALL).eval()
    dense = convolutionalize(classifier)
    image = torch.randn(1, 3, 227 + 32, 227)
    grid = dense(image)
    assert grid.shape == (1, 10, 2, 1)
    scores = classifier(image[..., :227, :])
    found = dense(image[..., :227, :])[..., 0, 0]
    assert (found - scores).abs().max() <= 1e-5 * scores.abs().max()


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("padding", ["same", 100])
@torch.no_grad()
def test_any_image_size_works(stride, padding):
    network = create_model(f"fcn{stride}s-alexnet", 2, padding=padding, **SMALL).eval()
    for side in (*range(1, 40), 65, 97, 128):
        assert network(torch.zeros(1, 3, side, 2 * side)).shape[-2:] == (side, 2 * side)


@torch.no_grad()
def test_a_smaller_padding_does_not_cover_every_image(monkeypatch):
    """With one zero less, some images are not covered."""
    monkeypatch.setattr("fullconv.networks.backbones.alexnet.SAME", 18)
    network = create_model("fcn32s-alexnet", 2, **SMALL).eval()
    with pytest.raises((ValueError, RuntimeError)):
        for side in range(1, 70):
            network(torch.zeros(1, 3, side, side))
