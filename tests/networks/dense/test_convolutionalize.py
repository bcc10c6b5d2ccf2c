"""A dense classifier gives the classifier's scores at its size, and a grid on larger images."""

import copy
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from fullconv.errors import GeometryError
from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.classifier import DenseClassifier
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.transplant import transplant

QUICK = (
    *("resnet18", "googlenet", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"),
    *("mnasnet0_5", "timm_resnet18", "tf_efficientnet_lite0", "mobilenetv3_large_100"),
    *("ghostnet_100", "convnextv2_atto", "hgnetv2_b0"),
)
HEAVY = (
    *("torchvision_alexnet", "torchvision_vgg11", "torchvision_vgg16_bn", "timm_vgg16_bn"),
    *("resnet50", "densenet121", "efficientnet_b0", "convnext_tiny", "inception_v3", "swin_t"),
)


def varied(classifier, side=96):
    """Set batch norms to random statistics; otherwise all scores would be nearly equal."""
    torch.manual_seed(5)
    norms = [m for m in classifier.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.normal_(layer.bias, 0, 0.1)
    if norms:
        classifier.train()(torch.randn(4, 3, side, side))
    return classifier.eval()


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]
)
@torch.no_grad()
def test_the_classifiers_scores_and_a_grid_on_larger_images(name):
    classifier = varied(create_classifier(name, 10))
    dense = convolutionalize(classifier)
    image = torch.randn(2, 3, dense.size, dense.size)
    expected, found = classifier(image), dense(image)
    assert found.shape == (2, 10, 1, 1)
    assert (expected[0] - expected[1]).abs().max() > 1e-4 * expected.abs().max()  # can fail
    assert (found[..., 0, 0] - expected).abs().max() <= 1e-5 * expected.abs().max()
    grid = dense(torch.randn(1, 3, dense.size + 64, dense.size + 128))
    assert grid.shape[2] > 1 and grid.shape[3] > grid.shape[2]
    if dense.field:
        steps = [(side - 1) * dense.field.stride for side in grid.shape[2:]]
        assert steps == [64, 128]


class Pooled(nn.Module):
    """A classifier without padding, so each score of a grid is exactly that of a crop."""

    def __init__(self, *head):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 6, 2))
        self.head = nn.Sequential(*head)

    def forward(self, x):
        return self.head(self.features(x))


HEADS = {
    "pool, flatten, linear": (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)),
    "flatten, linear": (nn.Flatten(), nn.Linear(6 * 36, 8), nn.ReLU(), nn.Linear(8, 5)),
    "pool to 6 x 6": (nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(6 * 36, 5)),
    "pool to 2 x 2": (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(6 * 4, 5)),
    "largest": (nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 5)),
    "norms": (
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6), nn.BatchNorm1d(6)),
        *(nn.Dropout(), nn.Linear(6, 5)),
    ),
    "convolution first": (
        nn.Conv2d(6, 5, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    ),
    "convolution last": (nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 5, 1), nn.Flatten(1)),
}


@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_each_score_of_the_grid_is_that_of_a_crop(head):
    classifier = varied(Pooled(*HEADS[head]), side=15)
    dense = convolutionalize(classifier, size=15)
    image = torch.randn(1, 3, 21, 25)
    grid = dense(image)
    assert grid.shape == (1, 5, 4, 6)
    for row in range(4):
        for column in range(6):
            crop = image[..., 2 * row : 2 * row + 15, 2 * column : 2 * column + 15]
            assert torch.allclose(grid[..., row, column], classifier(crop), atol=2e-5)
    assert dense.caveats == ()
    assert (dense.field.stride, dense.field.size, dense.field.map.shift) == (2, 15, 7)


def test_tensors_are_shared_and_the_classifier_is_unchanged():
    classifier = create_classifier("resnet18").train()
    dense = convolutionalize(classifier)
    assert isinstance(classifier.fc, nn.Linear) and classifier.training
    assert all(layer.training for layer in classifier.modules())
    assert dense.fc.weight.shape == (1000, 512, 1, 1)
    assert dense.fc.weight.data_ptr() == classifier.fc.weight.data_ptr()
    assert dense.state_dict().keys() == classifier.state_dict().keys()


def test_dropout_is_active_in_training_only():
    classifier = create_classifier("ghostnet_100", 10)  # its head calls a function
    classifier.drop_rate = 0.5
    dense = convolutionalize(classifier.eval())
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(dense(image), dense(image))
        dense.train()
        [layer.eval() for layer in dense.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert not torch.equal(dense(image), dense(image))


def test_published_weights_fit_the_dense_form():
    dense = convolutionalize(create_classifier("mobilenet_v3_small"))
    done = transplant(dense, create_classifier("mobilenet_v3_small").state_dict())
    assert not done.missing and not done.left_over
    assert set(done.reshaped) == {"classifier.0.weight", "classifier.3.weight"}


@torch.no_grad()
def test_googlenet_with_transformed_input_and_auxiliary_heads():
    """Its published weights expect both."""
    from torchvision.models import googlenet

    classifier = varied(
        googlenet(weights=None, aux_logits=True, transform_input=True, init_weights=False)
    )
    dense = convolutionalize(classifier)
    image = torch.randn(1, 3, 224, 224)
    expected = classifier(image)
    assert (dense(image)[..., 0, 0] - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert not any(name.startswith("aux") for name in dense.state_dict())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mobilenet_v3_small", "means over the whole image in features.1.block.1"),
        ("convnextv2_atto", "means over the whole image in stages.0.blocks.0.mlp.grn"),
        ("tf_efficientnet_lite0", 'TensorFlow\'s "same" padding'),
    ],
)
def test_caveats_name_what_changes_on_a_larger_image(name, sentence):
    assert any(
        caveat.startswith(sentence) for caveat in convolutionalize(create_classifier(name)).caveats
    )


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)).sort(1)[0])


@pytest.mark.parametrize(
    ("classifier", "reason"),
    [
        (lambda: create_classifier("vit_b_16"), "fixed position embedding"),
        (lambda: create_classifier("vit_tiny_patch16_224"), "fixed position embedding"),
        (lambda: create_classifier("mixer_s32_224"), "does not run on an image of 288 x 288"),
        (lambda: create_classifier("maxvit_t"), "does not run on an image of 288 x 288"),
        (Odd, "sort gives several tensors"),
        (
            lambda: Pooled(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(96, 5)),
            "windows of unequal size",
        ),
    ],
)
def test_classifiers_that_cannot_be_converted_are_refused_with_the_reason(classifier, reason):
    classifier = classifier()
    size = 15 if isinstance(classifier, Pooled) else None
    with pytest.raises(GeometryError, match=rf"cannot be made fully convolutional: .*{reason}"):
        convolutionalize(classifier, size=size)


class WholeImage(nn.Module):
    """A classifier whose head depends on the image's size: generalized means, sums, a centre."""

    def __init__(self, pool):
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, stride=2)
        self.score = nn.Conv2d(4, 2, 1)
        self.pool = pool

    def forward(self, x):
        return self.score(self.pool(self.features(x))).flatten(1)


WHOLE_IMAGE = {
    "generalized mean": lambda x: avg_pool2d(x.abs().pow(3), (x.size(2), x.size(3))).pow(1 / 3),
    "sum": lambda x: x.sum((2, 3), keepdim=True),
    "largest": lambda x: x.amax(3, keepdim=True).amax(2, keepdim=True),
    "centre": lambda x: x[:, :, 3:4, 3:4],
}


@pytest.mark.parametrize("pool", WHOLE_IMAGE)
def test_heads_with_one_score_for_an_image_of_any_size_are_refused(pool):
    with pytest.raises(GeometryError, match="an image of 30 x 30 has one score, as one of 15 x 15"):
        convolutionalize(WholeImage(WHOLE_IMAGE[pool]), size=15)


@torch.no_grad()
def test_scores_that_are_far_apart_are_a_grid():
    classifier = WholeImage(nn.AvgPool2d(111)).eval()
    dense = convolutionalize(classifier, size=224)
    image = torch.randn(1, 3, 446, 224)
    assert torch.allclose(dense(image)[..., :1, 0], dense(image[..., :224, :])[..., 0])
    assert dense(image).shape == (1, 2, 2, 1)


def test_a_wrong_rewrite_is_caught_by_the_comparison(monkeypatch):
    monkeypatch.setattr("fullconv.networks.dense.head.nn.AvgPool2d", nn.MaxPool2d)
    with pytest.raises(GeometryError, match="scores differ"):
        convolutionalize(create_classifier("resnet18"))


def test_a_copy_keeps_what_is_known_of_it():
    dense = convolutionalize(create_classifier("resnet18", 4))
    copied = copy.deepcopy(dense)
    assert isinstance(copied, DenseClassifier)
    assert (copied.size, copied.field) == (dense.size, dense.field) == (224, dense.field)
    assert (copied.caveats, copied.worst) == (dense.caveats, dense.worst)


def test_ours_have_the_field_of_their_last_layer():
    dense = convolutionalize(create_classifier("vgg11", 3, width=1 / 32, hidden=8))
    assert dense.size == 224 and dense.field == dense.feature_info()["fc8"].field
    assert dense.field.map(0) == Fraction(223, 2)  # the centre of an image of 224 pixels


def test_ours_stay_chains_of_named_layers():
    classifier = create_classifier("vgg11", 3, width=1 / 32, hidden=8)
    dense = convolutionalize(classifier)
    assert dense.caveats == () and dense.top == "fc8" and headless(dense).top == "drop7"
    with pytest.raises(GeometryError, match="our own classifiers"):
        convolutionalize(create_classifier("resnet18"), same=True)
